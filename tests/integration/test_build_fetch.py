"""bridge/fetch_deps.sh: whatever archives do, it ends with the sources, or with one sentence that says
what to do. The archive is a small one of ours on loopback; nothing is compiled."""

import os
import shutil
import socket

import pytest

from archive import (
    FURTHER, POOL, REVISION, UPSTREAM, Archive, Key, Machine, diff_name, diff_of, orig_name,
)  # fmt: skip
from full_disk import with_full_disk
from servers import ROOT, free_port

NEWER = {"libwebsockets": "4.3.5-1+deb13u9", "hiredis": "1.2.0-6+deb13u1"}
FILES = [(package, kind) for package in UPSTREAM for kind in ("orig", "diff")]


def path_of(package, kind):
    name = orig_name(package) if kind == "orig" else diff_name(REVISION[package], package)
    return f"{POOL[package]}/{name}"


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return Key(str(tmp_path_factory.mktemp("key")))


@pytest.fixture
def archive():
    with Archive() as archive:
        yield archive


@pytest.fixture
def machine(tmp_path, key, archive):
    machine = Machine(ROOT, str(tmp_path / "machine"), key.keyring)
    machine.use(archive.url)
    return machine


def check_fetched(machine, versions, **env):
    status, said = machine.fetch(**env)
    assert (status, machine.fetched()) == (0, versions), said
    return said


def check_refused(machine, *words, **env):
    """It fails, its last line says all of these words and what to do, and nothing was unpacked."""
    status, said = machine.fetch(**env)
    last = said.rstrip("\n").split("\n")[-1]
    assert status == 1 and last.startswith("fetch_deps: "), said
    assert machine.fetched() == {}
    assert os.listdir(machine.out) == []
    for word in (*words, "NOTIFY_POOL"):
        assert word in last, said
    return last


# ---- the three ways


def test_the_wanted_files_come_by_name_and_need_no_index(machine, archive):
    archive.add_all()
    check_fetched(machine, REVISION)
    assert not [path for path in archive.asked if path.startswith("dists/")]


def test_what_the_index_names_is_taken_when_the_wanted_revision_is_gone(machine, archive, key):
    for package, version in NEWER.items():
        archive.add(package, version)
    archive.sign_index(key, NEWER)
    check_fetched(machine, NEWER)


def test_a_listed_revision_is_taken_when_the_index_names_a_file_that_is_not_there(machine, archive, key):
    for package, version in FURTHER.items():
        archive.add(package, version)
    archive.sign_index(key, NEWER)
    check_fetched(machine, FURTHER)


def test_a_listed_revision_is_taken_when_the_index_is_empty(machine, archive, key):
    for package, version in FURTHER.items():
        archive.add(package, version)
    archive.sign_index(key, {})
    check_fetched(machine, FURTHER)


@pytest.mark.parametrize("lost", ["InRelease", "main/source/Sources"])
def test_a_listed_revision_is_taken_when_a_file_of_the_index_is_not_there(machine, archive, key, lost):
    for package, version in FURTHER.items():
        archive.add(package, version)
        archive.add(package, NEWER[package])
    archive.sign_index(key, NEWER)
    del archive.files[f"dists/trixie/{lost}"]
    check_fetched(machine, FURTHER)


def test_the_index_comes_before_further_revisions(machine, archive, key):
    for package in UPSTREAM:
        archive.add(package, NEWER[package])
        archive.add(package, FURTHER[package])
    archive.sign_index(key, NEWER)
    check_fetched(machine, NEWER)


# ---- a file that is not there


@pytest.mark.parametrize("package, kind", FILES)
def test_each_file_that_no_archive_has_is_told_in_one_sentence(machine, archive, package, kind):
    archive.add_all()
    del archive.files[path_of(package, kind)]
    last = check_refused(machine, os.path.basename(path_of(package, kind)), archive.url, "any more")
    assert "reached" not in last


@pytest.mark.parametrize("package", UPSTREAM)
def test_an_index_helps_out_for_each_package(machine, archive, key, package):
    archive.add_all()
    del archive.files[path_of(package, "diff")]
    archive.add(package, NEWER[package])
    archive.sign_index(key, {package: NEWER[package]})
    check_fetched(machine, {**REVISION, package: NEWER[package]})


# ---- what must not be unpacked


@pytest.mark.parametrize("package, kind", FILES)
def test_a_file_with_another_hash_is_not_unpacked(machine, archive, package, kind):
    archive.add_all()
    archive.files[path_of(package, kind)] = diff_of(package, "evil")
    check_refused(machine, path_of(package, kind), "sha256")


@pytest.mark.parametrize("package, kind", FILES)
def test_a_file_of_a_folder_with_another_hash_is_not_unpacked(machine, archive, tmp_path, package, kind):
    archive.add_all()
    folder = write_files(archive, tmp_path / "pool")
    (folder / path_of(package, kind)).write_bytes(b"evil")
    machine.use()
    check_refused(machine, path_of(package, kind), "sha256", NOTIFY_POOL=str(folder))


def test_an_index_that_somebody_else_has_signed_names_nothing(machine, archive, tmp_path):
    stranger = Key(str(tmp_path))
    for package, version in NEWER.items():
        archive.add(package, version)
    archive.sign_index(stranger, NEWER)
    check_refused(machine, diff_name(REVISION["libwebsockets"], "libwebsockets"))


def test_an_index_that_nobody_has_signed_names_nothing_even_if_apt_is_told_to_trust(machine, archive, key):
    for package, version in NEWER.items():
        archive.add(package, version)
    archive.sign_index(key, NEWER)
    release = archive.files.pop("dists/trixie/InRelease").decode()
    archive.files["dists/trixie/Release"] = release.split("\n\n", 1)[1].split("-----BEGIN")[0].encode()
    machine.configure('Acquire::AllowInsecureRepositories "true"; APT::Get::AllowUnauthenticated "true";\n')
    check_refused(machine, diff_name(REVISION["libwebsockets"], "libwebsockets"))


def test_an_orig_that_the_index_names_must_be_the_listed_one(machine, archive, key):
    archive.add_all()
    other = diff_of("hiredis", "another orig")
    archive.files[path_of("hiredis", "orig")] = other
    archive.sign_index(key, NEWER, origs={"hiredis": other})
    check_refused(machine, orig_name("hiredis"), "sha256")


# ---- apt's sources


def test_the_release_may_be_named_oldstable(machine, archive):
    archive.add_all()
    machine.use(archive.url, release="oldstable")
    check_fetched(machine, REVISION)


def test_one_of_several_archives_of_a_suite_is_enough(machine, archive, key):
    with Archive() as first, Archive() as last:
        archive.add("hiredis")
        last.add("libwebsockets", NEWER["libwebsockets"])
        last.sign_index(key, NEWER)
        machine.use(first.url, archive.url, last.url)
        check_fetched(machine, {**REVISION, "libwebsockets": NEWER["libwebsockets"]})


def test_an_archive_that_does_not_answer_is_no_harm_while_another_does(machine, archive):
    archive.add_all()
    machine.use(f"http://127.0.0.1:{free_port()}", archive.url)
    check_fetched(machine, REVISION)


def test_an_archive_of_security_updates_has_another_pool(machine, archive):
    for package in UPSTREAM:
        archive.add(package, pool=POOL[package].replace("pool/", "pool/updates/"))
    check_fetched(machine, REVISION)


def test_security_updates_are_looked_for_beside_an_archive_too(machine, archive):
    for package in UPSTREAM:
        archive.add(package, pool=POOL[package].replace("pool/", "debian-security/pool/updates/"))
    machine.use(archive.url + "/debian")
    check_fetched(machine, REVISION)


def test_a_list_of_mirrors_is_read(machine, archive, tmp_path):
    archive.add_all()
    mirrors = tmp_path / "mirrors"
    mirrors.write_text(f"{archive.url}/\tpriority:1\n")
    machine.use(f"mirror+file:{mirrors}")
    check_fetched(machine, REVISION)


def test_without_sources_one_sentence_says_so(machine):
    machine.use()
    check_refused(machine, "no apt source")


def test_a_disk_that_is_full_is_not_told_as_a_file_that_is_gone(machine):
    os.makedirs(machine.out, exist_ok=True)
    status, said = machine.fetch(within=with_full_disk(machine.out))
    last = said.rstrip("\n").split("\n")[-1]
    assert status == 1
    assert last == f"fetch_deps: nothing can be written to {machine.out}: make room on that disk, and run it again"


# ---- the network


def test_a_network_that_is_away_is_not_told_as_a_file_that_is_gone(machine):
    url = f"http://127.0.0.1:{free_port()}"
    machine.use(url)
    last = check_refused(machine, orig_name("libwebsockets"), url, "could not be reached")
    assert "any more" not in last


def test_a_name_that_does_not_resolve_is_told(machine):
    machine.use("http://archive.invalid/debian")
    last = check_refused(machine, "archive.invalid", "could not be reached")
    assert "any more" not in last


def test_an_archive_that_does_not_answer_is_asked_once(machine, tmp_path):
    urls = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
    machine.use(*urls)
    last = check_refused(machine, *urls)
    assert last.count("could not be reached") == 2


def test_an_archive_that_takes_the_connection_and_says_nothing_is_told_in_time(machine):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        machine.use(url)
        machine.configure('Acquire::http::Timeout "1";\n')
        check_refused(machine, url, "could not be reached")


def test_the_proxy_that_apt_is_told_of_is_used_for_files_and_index(machine, archive, key):
    """Only it knows the archive's name."""
    archive.add("hiredis")
    archive.add("libwebsockets", NEWER["libwebsockets"])
    archive.sign_index(key, {"libwebsockets": NEWER["libwebsockets"]})
    archive.files = {f"debian/{path}": data for path, data in archive.files.items()}
    machine.use("http://archive.invalid/debian")
    machine.configure(f'Acquire::http::Proxy "{archive.url}";\n')
    check_fetched(machine, {**REVISION, "libwebsockets": NEWER["libwebsockets"]})


# ---- NOTIFY_POOL


def write_files(archive, folder, flat=False):
    for path, data in archive.files.items():
        target = folder / (os.path.basename(path) if flat else path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return folder


@pytest.mark.parametrize("flat", [False, True])
def test_a_folder_may_be_an_archive_or_hold_the_files(machine, archive, tmp_path, flat):
    archive.add_all()
    folder = write_files(archive, tmp_path / "pool with blanks", flat)
    machine.use()
    check_fetched(machine, REVISION, NOTIFY_POOL=str(folder))


def test_a_url_may_be_an_archive(machine, archive):
    archive.add_all()
    machine.use()
    check_fetched(machine, REVISION, NOTIFY_POOL=archive.url + "/")


def test_a_url_may_hold_the_files(machine, archive):
    archive.add_all()
    archive.files = {f"some/where/{os.path.basename(path)}": data for path, data in archive.files.items()}
    machine.use()
    check_fetched(machine, REVISION, NOTIFY_POOL=archive.url + "/some/where")


def test_what_a_pool_lacks_comes_from_the_archives(machine, archive):
    archive.add_all()
    with Archive() as pool:
        pool.add("hiredis")
        check_fetched(machine, REVISION, NOTIFY_POOL=pool.url)
    assert not [path for path in archive.asked if "hiredis" in path]


def test_a_pool_that_is_no_folder_is_told(machine, archive):
    archive.add_all()
    status, said = machine.fetch(NOTIFY_POOL="/no/such/folder")
    assert status == 1 and "fetch_deps: NOTIFY_POOL names no folder" in said.split("\n")[-2], said


def test_a_folder_is_enough_where_there_is_no_apt(machine, archive, tmp_path):
    archive.add_all()
    folder = write_files(archive, tmp_path / "pool", flat=True)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in "sh awk sed grep sort head find mktemp mkdir cp mv rm cat dirname sha256sum tar gzip xz patch".split():
        (programs / name).symlink_to(shutil.which(name))
    check_fetched(machine, REVISION, NOTIFY_POOL=str(folder), PATH=str(programs))
