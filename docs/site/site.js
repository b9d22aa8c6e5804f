/* The search: looks for all words in titles, headings and texts of all pages. The index is a script of its own,
 * fetched when somebody first wants to search, so that it works from a disk, too. */
(function () {
  'use strict';

  const root = document.currentScript.dataset.root;
  const input = document.getElementById('query'), found = document.getElementById('found');
  const SHOWN = 20;
  let loading = null;

  function load() {
    loading ||= new Promise((done, failed) => {
      const script = document.createElement('script');
      script.src = root + '/search-index.js';
      script.onload = () => {
        for (const one of window.searchIndex) one.low = [one.page, one.heading, one.text].map(text => text.toLowerCase());
        done();
      };
      script.onerror = failed;
      document.head.append(script);
    });
    return loading;
  }

  /* How well it fits: 0, if one of the words is nowhere. */
  function score({ low: [page, heading, text] }, words) {
    let sum = 0;
    for (const word of words) {
      const points = (page.includes(word) ? 6 : 0) + (heading.includes(word) ? 10 : 0) + (heading === word ? 20 : 0) + (text.includes(word) ? 2 : 0);
      if (points === 0) return 0;
      sum += points;
    }
    return sum;
  }

  function excerpt(text, words) {
    const at = Math.max(0, text.toLowerCase().indexOf(words[0]) - 60);
    return (at > 0 ? '… ' : '') + text.slice(at, at + 180);
  }

  function entry(one, words) {
    const link = document.createElement('a'), text = document.createElement('span');
    link.href = root + '/' + one.url;
    link.textContent = one.heading === one.page ? one.page : one.page + ': ' + one.heading;
    text.textContent = excerpt(one.text, words);
    link.append(text);
    return link;
  }

  async function search() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    found.hidden = words.length === 0;
    if (words.length === 0) return;
    await load();
    const rows = window.searchIndex.map(one => [score(one, words), one]).filter(([points]) => points > 0);
    rows.sort((a, b) => b[0] - a[0]);
    const note = document.createElement('p');
    note.textContent = rows.length === 0 ? 'Nothing has all of these words.' : rows.length > SHOWN ? 'The best ' + SHOWN + ' of ' + rows.length + '.' : '';
    found.replaceChildren(note, ...rows.slice(0, SHOWN).map(([, one]) => entry(one, words)));
  }

  input.addEventListener('focus', load);
  input.addEventListener('input', search);
  document.getElementById('search').addEventListener('submit', event => {
    event.preventDefault();
    const first = found.querySelector('a');
    if (first) first.click();
  });
  document.addEventListener('keydown', event => {
    if (event.key === 'Escape' && !found.hidden) { input.value = ''; found.hidden = true; input.focus(); }
    if (event.key === '/' && !/^(input|textarea|select)$/i.test(document.activeElement.localName)) { event.preventDefault(); input.focus(); }
  });
  found.addEventListener('click', event => { if (event.target.closest('a')) { found.hidden = true; input.value = ''; } });
})();
