const WORD_MAX = 64

/**
 * The candidate that a misspelt word most likely means: the one with the fewest letters changed, added or left out,
 * as long as those are fewer than half of its own. Undefined when none is near.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const asked = word.slice(0, WORD_MAX).toLowerCase()
  let best: string | undefined
  let least = Infinity
  for (const candidate of candidates) {
    const limit = Math.min(least - 1, Math.floor((Math.max(candidate.length, 2) - 1) / 2), 6)
    if (Math.abs(candidate.length - asked.length) > limit) continue
    const distance = editDistance(asked, candidate.toLowerCase())
    if (distance > limit) continue
    best = candidate
    least = distance
  }
  return best
}

/** Letters to change, add or leave out between two words (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({length: b.length + 1}, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next.push(
        Math.min(
          (row[j] ?? 0) + 1,
          (next[j - 1] ?? 0) + 1,
          (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
        ),
      )
    row = next
  }
  return row[b.length] ?? 0
}
