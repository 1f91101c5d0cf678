import type {ClusterMember, ClusterState} from './state.js'

/** How fast a local cluster is: a leader within about a second, a dead member seen within about two. */
const FAST = {
  performance: {raft_multiplier: 0.3},
  autopilot: {server_stabilization_time: '1s'},
  gossip_lan: {probe_interval: '300ms', probe_timeout: '150ms', suspicion_mult: 3},
}

/** The configuration of one member's agent, in the product's own keys. */
export function agentConfig(state: ClusterState, member: ClusterMember): Readonly<Record<string, unknown>> {
  const founders = state.members.filter(one => one.kind === 'server').slice(0, state.expect)
  const isFounder = founders.includes(member)
  return {
    datacenter: state.name,
    node_name: member.name,
    bind_addr: member.address,
    client_addr: member.address,
    server: member.kind !== 'client',
    ...(member.kind === 'nonvoter' ? {non_voting_server: true} : {}),
    // One that comes later must never found a cluster of its own
    ...(isFounder ? {bootstrap_expect: state.expect} : {}),
    retry_join: founders.filter(one => one !== member).map(one => one.address),
    retry_interval: '1s',
    raft_protocol: state.raftProtocol,
    ...(state.encrypt === null ? {} : {encrypt: state.encrypt}),
    ...FAST,
  }
}
