import t from 'tap'
import {commitsKept, faultTolerance, hasQuorum, quorumSize} from '../../../src/core/model/quorum.js'

/** All subsets of {0..n-1} as bit masks. */
const subsets = (n: number): number[] => Array.from({length: 1 << n}, (_, mask) => mask)
const size = (mask: number): number => mask.toString(2).replaceAll('0', '').length

t.test('a quorum is more than half', async t => {
  t.same([1, 2, 3, 4, 5, 7].map(quorumSize), [1, 2, 2, 3, 3, 4])
  t.equal(hasQuorum(0, 0), false)
  t.equal(hasQuorum(4, 2), false)
  t.equal(faultTolerance(4, 2), -1)
})

t.test('commitsKept agrees with every commit set and every quorum after, up to seven voters', async t => {
  for (let before = 1; before <= 7; before++) {
    for (let after = 1; after <= before; after++) {
      const kept = (1 << after) - 1
      const holders = subsets(before).filter(mask => size(mask) >= quorumSize(before))
      const quorumsAfter = subsets(before).filter(
        mask => (mask & ~kept) === 0 && size(mask) >= quorumSize(after),
      )
      const everyQuorumHolds = holders.every(mask => quorumsAfter.every(quorum => (quorum & mask) !== 0))
      const someKeptHolds = holders.every(mask => (mask & kept) !== 0)
      const expected = everyQuorumHolds ? 'all' : someKeptHolds ? 'all-in-best-log' : 'unknown'
      t.equal(commitsKept(before, after), expected, `${before} to ${after}`)
    }
  }
})
