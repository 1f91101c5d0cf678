/**
 * Every state that a small Raft cluster can reach: logs of up to a few entries, terms up to a few, elections by
 * quorum and log order, replication from leaders of any still-standing term, commits of own-term entries. A log is a
 * text of terms: `112` holds entries of terms 1, 1 and 2. An entry is told by index and term.
 */

interface Node {
  readonly log: string
  readonly term: number
  readonly leads: boolean
}

/** A reachable state: the logs, and the longest prefix that was ever committed. */
export interface Reached {
  readonly logs: readonly string[]
  readonly committed: string
}

interface State {
  readonly nodes: readonly Node[]
  readonly committed: string
}

const quorum = (count: number): number => Math.floor(count / 2) + 1
const lastTerm = (log: string): number => Number(log.at(-1) ?? 0)
/** Whether `a` is at least as good a log as `b` (Raft §5.4.1). */
export const asGood = (a: string, b: string): boolean =>
  lastTerm(a) > lastTerm(b) || (lastTerm(a) === lastTerm(b) && a.length >= b.length)

const key = (state: State): string =>
  `${state.nodes
    .map(node => `${node.log}/${node.term}${node.leads ? '!' : ''}`)
    .sort()
    .join(',')};${state.committed}`

function* subsets(indexes: readonly number[]): Generator<readonly number[]> {
  for (let mask = 0; mask < 1 << indexes.length; mask++) yield indexes.filter((_, bit) => (mask >> bit) & 1)
}

/** A candidate wins a term that nobody in its quorum has seen; its voters move to that term. */
function* elections(state: State, maxTerm: number): Generator<State> {
  const {nodes} = state
  for (const [candidate, node] of nodes.entries()) {
    for (let term = node.term + 1; term <= maxTerm; term++) {
      const willing = nodes.flatMap((other, place) =>
        place !== candidate && other.term < term && asGood(node.log, other.log) ? [place] : [],
      )
      for (const voters of subsets(willing)) {
        // A voter beyond the quorum only makes fewer things possible later, so minimal quorums are enough.
        if (voters.length + 1 !== quorum(nodes.length)) continue
        const next = nodes.map((other, place) =>
          place === candidate
            ? {log: node.log, term, leads: true}
            : voters.includes(place)
              ? {log: other.log, term, leads: false}
              : other,
        )
        yield {...state, nodes: next}
      }
    }
  }
}

/** A leader appends an entry of its term, or brings a follower of no newer term to a prefix of its log. */
function* replication(state: State, maxLength: number): Generator<State> {
  const {nodes} = state
  for (const [leader, node] of nodes.entries()) {
    if (!node.leads) continue
    const put = (place: number, changed: Node): State => ({
      ...state,
      nodes: nodes.map((other, index) => (index === place ? changed : other)),
    })
    if (node.log.length < maxLength) yield put(leader, {...node, log: node.log + String(node.term)})
    for (const [place, other] of nodes.entries()) {
      if (place === leader || other.term > node.term || (other.leads && other.term === node.term)) continue
      for (let upTo = 1; upTo <= node.log.length; upTo++) {
        const prefix = node.log.slice(0, upTo)
        const log = other.log.startsWith(prefix) ? other.log : prefix
        yield put(place, {log, term: node.term, leads: false})
      }
    }
  }
}

/**
 * A leader commits an entry of its own term once a quorum holds it in that term; all before it is committed too. That
 * an acknowledging follower may have moved on to a later term by then adds nothing: the acknowledgements of the others
 * do not depend on that move, so they can be taken before it.
 */
function* commits(state: State): Generator<State> {
  const {nodes} = state
  for (const node of nodes) {
    if (!node.leads) continue
    for (let upTo = state.committed.length + 1; upTo <= node.log.length; upTo++) {
      const prefix = node.log.slice(0, upTo)
      const holders = nodes.filter(other => other.term === node.term && other.log.startsWith(prefix)).length
      if (Number(node.log[upTo - 1]) === node.term && holders >= quorum(nodes.length))
        yield {...state, committed: prefix}
    }
  }
}

/** All placements of logs and commits that `count` voters can reach within the limits, each once up to order. */
export function reachable(
  count: number,
  limits: {readonly terms: number; readonly length: number},
): readonly Reached[] {
  const first: State = {
    nodes: Array.from({length: count}, () => ({log: '', term: 0, leads: false})),
    committed: '',
  }
  const seen = new Set([key(first)])
  const queue = [first]
  const found = new Map<string, Reached>()
  for (let state = queue.pop(); state !== undefined; state = queue.pop()) {
    const logs = state.nodes.map(node => node.log).sort()
    found.set(`${logs.join(',')};${state.committed}`, {logs, committed: state.committed})
    for (const moves of [elections(state, limits.terms), replication(state, limits.length), commits(state)]) {
      for (const next of moves) {
        const name = key(next)
        if (seen.has(name)) continue
        seen.add(name)
        queue.push(next)
      }
    }
  }
  return [...found.values()]
}
