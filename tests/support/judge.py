"""Whether each reader has had what Redis holds: all of it, once, in order. Where Redis itself has lost what it had
acknowledged, readers must have been told."""

from module_helpers import pairs


def number_of(id_):
    """An id that can be compared."""
    return tuple(map(int, id_.split("-")))


def breaks(had, places):
    """All of them: [(at, what)]. What Redis does not hold any more makes one together with what follows it."""
    found = []
    last, lost = -1, None
    for at, (id_, title) in enumerate(had):
        place = places.get(title)
        if place is None:
            lost = at if lost is None else lost
            continue
        if lost is not None or place != last + 1:
            what = f"{had[lost][0]} is not in Redis" if lost is not None else f"{id_} is number {place} and came behind number {last}"
            found.append((at, what))
        last, lost = place, None
    if lost is not None:
        found.append((len(had), f"{had[lost][0]} is not in Redis, and nothing came behind it"))
    return found


def without_repeats(record, regains):
    """(entries, gaps, what came twice): who is cut off while he is told of a loss gets again what came with that, and is
    told again behind it. That does not count as twice. Nor does, if Redis regains what it had lost (a server that had it
    is the primary again), what comes again behind where it was told, with what else stood before all that it had had."""
    kept, seen, again, gaps = [], set(), [], []
    last_gap = max(record.gaps, default=-1)
    regained, end = set(), (0, 0)  # since the last gap; and up to where
    for at, (id_, title) in enumerate(record.had):
        gaps += [len(kept)] * record.gaps.count(at)
        if at in record.gaps:
            regained, end = set(), max((number_of(id_) for id_, _ in record.had[:at]), default=end)
        end = end if number_of(id_) <= end else (0, 0)
        is_regained = regains and number_of(id_) <= end and title not in regained
        if title not in seen or is_regained:
            kept.append((id_, title))
        elif at >= last_gap:
            again.append(title)
        regained.add(title)
        seen.add(title)
    return kept, gaps + [len(kept)] * record.gaps.count(len(record.had)), again


def unexcused(record, held):
    """What Redis holds and it has not had, though it has had what stands behind it, and has not been told of a loss since
    it had what stands before it."""
    places = {title: place for place, (_, title) in enumerate(held)}
    had = [places.get(title) for _, title in record.had]
    missing = sorted(set(places.values()) - set(had))
    found = []
    for place in missing:
        behind = next((at for at, one in enumerate(had) if one is not None and one > place), len(had))
        before = max((at for at, one in enumerate(had[:behind]) if one is not None and one < place), default=-1)
        if not any(gap > before for gap in record.gaps):
            found.append(held[place])
    return found


def fault_of(record, held, keeps_place=True, regains=False):
    """What is wrong with it, or None. held: [(id, title)] as Redis has them. keeps_place: it says itself where it goes on;
    else Redis knows that alone, and may have lost it: then it may have something twice, or have what is lost. regains:
    Redis may have lost something and have it again."""
    had, gaps, again = without_repeats(record, regains)
    ids = {title: id_ for id_, title in held}
    if not keeps_place:
        lost = unexcused(record, held)
        return f"lost: {lost[:3]}" if lost else None
    if again:
        return f"twice: {again[:3]}"
    wrong = [one for one in had if ids.get(one[1], one[0]) != one[0]]
    if wrong:
        return f"by another id: {wrong[:3]}"
    told = list(gaps)
    for at, what in breaks(had, {title: place for place, (_, title) in enumerate(held)}):
        gap = next((gap for gap in told if gap >= at), None)
        if gap is None:
            around = had[max(0, at - 4) : at + 3]
            return f"{what}, and nobody said so (entry {at} of {len(had)}, gaps told at {gaps}; {around})"
        told.remove(gap)
    return None


def entries_of(run, key):
    """[(id, title)] of a box, as run(*command) gets it."""
    found, begin = [], "-"
    while page := run("NOTIFY.RANGE", key, begin, "+", "ALL"):
        found += [(id_, pairs(fields)["title"] if isinstance(fields, list) else fields["title"]) for id_, fields in page]
        begin = f"({page[-1][0]}"
    return found


def faults(readers, run, lossy):
    """Of all of them; what Redis holds is read once. lossy: it may have lost what it had acknowledged."""
    held = {}
    for reader in readers:
        for key, record in reader.records.items():
            if key not in held:
                held[key] = entries_of(run, key)
            fault = fault_of(record, held[key], reader.keeps_place or not lossy, lossy)
            if fault:
                yield f"{reader.name} {key}: {fault}; epochs {record.epochs}; {reader.latest}"
