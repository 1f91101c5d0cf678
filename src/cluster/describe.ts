import type {LocalCluster, MemberStatus} from './cluster.js'

/** A cluster as it is now, in the shape that commands print. */
export async function describeCluster(cluster: LocalCluster) {
  const members = (await cluster.status()).map(status => ({
    name: status.member.name,
    kind: status.member.kind,
    address: status.member.address,
    http: `${status.member.address}:8500`,
    state: stateOf(status),
    pid: status.process?.pid ?? null,
    heldBy: status.held ?? null,
    role: status.role ?? null,
    leader: status.leader ?? null,
    lastIndex: status.lastIndex ?? null,
    refuses: status.refuses,
    log: status.files.log,
  }))
  const {state} = cluster
  return {
    name: state.name,
    directory: cluster.directory,
    raftProtocol: state.raftProtocol,
    encrypted: state.encrypt !== null,
    version: state.version,
    leader: mostNamed(members.flatMap(({leader}) => (leader === null || leader === '' ? [] : [leader]))),
    members,
  }
}

function stateOf({process, gone}: MemberStatus): 'running' | 'paused' | 'stopped' | 'gone' {
  if (process !== undefined) return process.paused ? 'paused' : 'running'
  return gone ? 'gone' : 'stopped'
}

function mostNamed(leaders: readonly string[]): string | null {
  const counts = new Map<string, number>()
  for (const leader of leaders) counts.set(leader, (counts.get(leader) ?? 0) + 1)
  const [best] = [...counts].sort((a, b) => b[1] - a[1])
  return best?.[0] ?? null
}
