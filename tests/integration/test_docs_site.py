"""./dev docs site: every page is there, can be reached and found, and no link is dead."""

import json
import os
import re
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RENDER = os.path.join(ROOT, "docs", "site", "render")


def render(folder, *root):
    return subprocess.run([RENDER, str(folder), *map(str, root)], capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "site"
    done = render(folder)
    assert done.returncode == 0, done.stderr
    return folder


def make_docs(folder, **pages):
    (folder / "docs").mkdir()
    (folder / "README.md").write_text("# First\n\n[a](docs/a.md)\n")
    for name, text in pages.items():
        (folder / "docs" / f"{name}.md").write_text(text)
    return folder


def sources():
    docs = os.path.join(ROOT, "docs")
    names = [name for name in os.listdir(docs) if name.endswith(".md")]
    return names + ["commands/" + name for name in os.listdir(os.path.join(docs, "commands")) if name.endswith(".md")]


def test_no_link_of_any_page_is_dead_and_each_page_can_be_reached_from_the_first(site):
    first = (site / "index.html").read_text()
    for name in sources():
        url = re.sub(r"README\.md$", "index.html", name).removesuffix(".md") + ("" if name.endswith("README.md") else ".html")
        assert (site / url).is_file(), url
        assert f'href="{url}"' in first, url


def test_every_address_in_the_pages_that_were_made_leads_to_a_file(site):
    for path in site.rglob("*.html"):
        for link in re.findall(r'(?:href|src)="([^"#?]+)', path.read_text()):
            if not re.match(r"[a-z]+:|//", link):
                assert (path.parent / link).resolve().is_file(), (path.name, link)


@pytest.mark.parametrize(
    "link, why",
    [
        ("b.md", "there is no such file"),
        ("a.md#nowhere", "a.md has no such heading"),
        ("#nowhere", "a.md has no such heading"),
        ("../bridge/main.c", "there is no such file"),
        ("../../etc/passwd", "there is no such file"),
        ("../docs", "is a folder, which has no page"),
    ],
)
def test_a_dead_link_fails_and_is_named(tmp_path, link, why):
    done = render(tmp_path / "site", make_docs(tmp_path, a=f"# A\n\n[it]({link})\n"))
    assert (done.returncode, done.stderr) == (1, f"dead link: docs/a.md: {link}: {why}\n")


def test_links_are_those_of_the_site_and_headings_are_named_as_where_the_sources_are_read(tmp_path):
    text = '# A\n\n## What `x` is, & why?\n\n## Twice\n\n## Twice\n\n<a name="here"></a>[1](#what-x-is--why) [2](#twice-1) [3](../README.md) [4](#here) [5](https://example.com/b.md)\n'
    done = render(tmp_path / "site", make_docs(tmp_path, a=text))
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "a.html").read_text()
    for link in ("#what-x-is--why", "#twice-1", "index.html", "#here", "https://example.com/b.md"):
        assert f'<a href="{link}">' in page, link
    assert '<h2 id="what-x-is--why">' in page and '<h2 id="twice-1">' in page and '<a id="here">' in page


def test_html_in_a_page_stays_out_of_the_site(tmp_path):
    text = "# A <script>alert(1)</script>\n\n<img src=x onerror=alert(1)>\n\n[x](javascript:alert(1)) `<b>`\n"
    render(tmp_path / "site", make_docs(tmp_path, a=text))
    main = (tmp_path / "site" / "a.html").read_text().split("<main", 1)[1]
    assert "<script" not in main and "<img" not in main and "javascript:" not in main and "&lt;b&gt;" in main


def test_the_search_has_every_heading_of_every_page(site):
    text = (site / "search-index.js").read_text()
    rows = json.loads(text.removeprefix("window.searchIndex = ").rstrip(";\n"))
    found = {(row["url"].split("#")[0], row["heading"]) for row in rows}
    for path in site.rglob("*.html"):
        page = re.sub(r'<a class="anchor".*?</a>', "", path.read_text())
        count = len(re.findall(r"<h[1-6] id=", page))
        url = str(path.relative_to(site))
        assert len([row for row in rows if row["url"].split("#")[0] == url]) == count, url
    assert ("commands/notify.send.html", "Arguments") in found and ("metrics.html", "What to be woken for") in found


def test_a_folder_with_other_files_is_left_as_it_is(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious").write_text("x")
    done = render(tmp_path / "mine")
    assert done.returncode != 0 and (tmp_path / "mine" / "precious").read_text() == "x"
