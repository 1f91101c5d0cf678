import type {Change} from './load-core.js'
import type {DriverFaults} from './server.js'

/** A fault that somebody might make, planted to see that the checks see it. */
export interface Planted {
  readonly title: string
  readonly changes?: readonly Change[]
  readonly driver?: DriverFaults
  /** A seed that is known to catch it; others are tried when it does not. */
  readonly seed?: number
}

const change = (file: string, from: string, to: string): Change => ({file: `raft/${file}`, from, to})

/** Faults in the core and in its driver, each against one rule of Raft. */
export const planted: readonly Planted[] = [
  {
    title: 'answers are given before what they promise is on disk',
    changes: [
      change(
        'disk.ts',
        'if (this.isDone(persistId)) effects.push(effect)',
        'if (persistId > 0 || this.isDone(persistId)) effects.push(effect)',
      ),
    ],
  },
  {title: 'the driver says that writes are on disk before they are', driver: {saysPersistedTooEarly: true}},
  {title: 'the driver forgets term and vote', driver: {forgetsHardState: true}},
  {title: 'a state machine is not loaded with its snapshot', driver: {ignoresSnapshotState: true}},
  {
    title: 'a vote is given twice in a term',
    changes: [
      change(
        'election.ts',
        'if (raft.votedFor !== undefined && raft.votedFor !== request.candidate) judged',
        'if (raft.votedFor === raft.options.address) judged',
      ),
      change(
        'election.ts',
        'if (raft.votedFor === undefined) raft.setVote(request.candidate)',
        'raft.setVote(request.candidate)',
      ),
      change('state.ts', "assert(this.votedFor === undefined, 'there is one vote in a term')", ''),
    ],
  },
  {
    title: 'a candidate whose log is behind gets the vote',
    changes: [change('election.ts', "return order < 0 ? 'log is behind' : 'granted'", "return 'granted'")],
  },
  {
    title: 'entries of an old term are committed by counting',
    changes: [
      change(
        'replication.ts',
        'if (index <= raft.commitIndex || raft.log.termAt(index) !== raft.term) return',
        'if (index <= raft.commitIndex) return',
      ),
    ],
  },
  {
    title: 'a leader counts its own entries before they are on its disk',
    changes: [
      change(
        'replication.ts',
        'raft.quorumValue(raft.log.persistedIndex, peer',
        'raft.quorumValue(raft.log.lastIndex, peer',
      ),
    ],
  },
  {
    title: 'a follower acknowledges entries before they are on its disk',
    changes: [change('append.ts', 'answer(true, {needs: raft.disk.logNeeds(lastIndex)})', 'answer(true)')],
  },
  {
    title: 'a follower commits past the entries that the leader vouched for',
    changes: [
      change(
        'append.ts',
        'Math.min(request.leaderCommit, lastIndex)',
        'Math.min(request.leaderCommit, raft.log.lastIndex)',
      ),
    ],
  },
  {
    title: 'a follower takes entries without looking at the one before',
    changes: [
      change(
        'append.ts',
        'if (ours === undefined || ours === prevTerm) return undefined',
        'if (ours !== -1) return undefined',
      ),
    ],
  },
  {
    title: 'entries that differ are not replaced',
    changes: [change('append.ts', 'if (ours !== undefined && ours !== entry.term) break', '')],
  },
  {
    title: 'a log is cut and filled on the word of a leader of an old term',
    changes: [
      change('append.ts', '  if (request.term < raft.term) return false\n', ''),
      change(
        'append.ts',
        'if (request.term > raft.term || raft.role',
        'if (request.term < raft.term) return true\n  if (request.term > raft.term || raft.role',
      ),
      change('append.ts', 'entry.term > term) return false', 'entry.term > term + 1000) return false'),
    ],
  },
  {
    title: 'a snapshot is taken with a configuration of before',
    changes: [change('snapshot.ts', 'raft.configurations.asOf(index)', 'raft.configurations.asOf(0)')],
  },
  {
    title: 'a snapshot is taken with a configuration that is not committed',
    changes: [change('snapshot.ts', 'raft.configurations.asOf(index)', 'raft.configurations.latest')],
  },
  {
    title: 'a log that has nothing to do with the snapshot is kept behind it',
    changes: [
      change(
        'snapshot.ts',
        'const keeps = log.termAt(meta.index) === meta.term',
        'const keeps = log.lastIndex >= meta.index',
      ),
    ],
  },
  {
    title: 'a second change of the configuration is begun on top of the first',
    changes: [
      change(
        'wishes.ts',
        'if (latest.index > commitIndex || commitIndex < leadership.startIndex)',
        'if (commitIndex < leadership.startIndex)',
      ),
    ],
  },
  {
    title: 'half of the voters are taken for a quorum',
    changes: [change('state.ts', 'quorumSize(values.length)', 'Math.max(1, Math.floor(values.length / 2))')],
  },
  {
    title: 'servers without a vote are counted',
    changes: [
      change(
        'state.ts',
        'for (const server of voters(this.configurations.latest.configuration)) {',
        'for (const server of this.configurations.latest.configuration.servers) {',
      ),
    ],
  },
  {
    title: 'a read is served without word from a quorum',
    changes: [change('reads.ts', 'requestId: trusted ? 0 : raft.nextRequestId', 'requestId: 0')],
  },
  {
    title: 'a new leader lets read before it knows what is committed',
    changes: [change('reads.ts', 'Math.max(raft.commitIndex, leadership.startIndex)', 'raft.commitIndex')],
  },
  {
    title: 'a lease is trusted however old it is',
    changes: [change('reads.ts', 'lease && raft.nowMs < leaseUntilMs(raft)', 'lease')],
  },
  {
    title: 'every server is taken to have the patience of the leader',
    seed: 31,
    changes: [
      change('reads.ts', 'Math.min(raft.options.leaderLeaseMs, loyalMs)', 'raft.options.leaderLeaseMs'),
    ],
  },
  {
    title: 'a server that was set to less patience forgets what it promised before its restart',
    seed: 6,
    changes: [change('node.ts', 'Math.max(heartbeatTimeoutMs, loyalAtStartMs)', 'heartbeatTimeoutMs')],
  },
  {
    title: 'a server keeps its vote from others as it promised, and gives it to itself',
    seed: 406,
    changes: [change('election.ts', 'raft.nowMs < raft.loyalUntilMs && !isSoleVoter(raft)', 'false')],
  },
]
