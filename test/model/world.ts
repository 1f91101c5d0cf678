import type {Server} from '../../src/core/model/configuration.js'
import {ipOf, idOf} from '../helpers/fleet.js'
import type {Entry} from './disk.js'
import {contentsOf, Disk, endOf, paths, peersOf} from './disk.js'
import type {Identity, ModelHost, Running} from './server.js'
import {appendEntries, asAddress, asVoter, isLegacy, raftOf, startServer} from './server.js'

/** Thrown by everything once quorate was killed: a dead process does nothing more. */
export class Killed extends Error {}

/** An entry without its place in the log. */
type Proposal = Entry extends infer E ? (E extends Entry ? Omit<E, 'index' | 'term'> : never) : never

/**
 * A small datacenter with its own time: hosts, disks, service managers, servers that vote, replicate and gossip.
 * Elections are adverse: of all who can win, the one with the worst log does, so that a recovery that is only lucky
 * fails here.
 */
export class World {
  readonly hosts: readonly ModelHost[]
  nowMs = Date.UTC(2026, 10, 20, 3, 0, 0)
  killed = false
  #electionDueMs = 0

  constructor(version: Identity['version'], names: readonly string[]) {
    this.hosts = names.map(name => ({
      identity: {name, address: `${ipOf(name)}:8300`, nodeId: idOf(name), version},
      disk: new Disk(),
      running: undefined,
      exited: undefined,
      held: false,
      wanted: true,
      restart: false,
      reachable: true,
      lock: undefined,
    }))
    for (const host of this.hosts) this.#install(host, names.length)
  }

  host(name: string): ModelHost {
    const host = this.hosts.find(candidate => candidate.identity.name === name)
    if (host === undefined) throw new Error(`no host ${name}`)
    return host
  }

  #install({identity, disk}: ModelHost, expect: number): void {
    disk.write(
      `${paths.config}/server.json`,
      JSON.stringify({
        server: true,
        node_name: identity.name,
        data_dir: paths.data,
        bind_addr: ipOf(identity.name),
        bootstrap_expect: expect,
        ...(isLegacy(identity) ? {} : {raft_protocol: identity.version === '1.8.19' ? 3 : 2}),
      }),
    )
    disk.write(paths.serf, 'alive')
    if (isLegacy(identity)) return
    disk.write(paths.nodeId, identity.nodeId)
    disk.write(paths.peersInfo, 'As of Consul 0.7.0 …')
  }

  /** Gives every host the log of a cluster that once worked: `entries` keys, of which host i holds `upTo[i]`. */
  seed(peers: readonly string[], upTo: Readonly<Record<string, number>>, term = 3): void {
    const servers = peers.map(name => asVoter(this.host(name).identity))
    for (const host of this.hosts) {
      const end = upTo[host.identity.name] ?? 0
      if (end === 0) continue
      const entries: Entry[] = [{index: 1, term: 1, kind: 'peers', servers}]
      for (let index = 2; index <= end; index++)
        entries.push({index, term, kind: 'put', key: `k${index}`, value: `v${index}`})
      host.disk.set(paths.store, {kind: 'store', entries, currentTerm: term})
      if (isLegacy(host.identity))
        host.disk.write(paths.peers, `${JSON.stringify(servers.map(server => server.address))}\n`)
    }
  }

  start(name: string): string | undefined {
    const host = this.host(name)
    if (host.held) return 'Unit is masked.'
    host.wanted = true
    if (host.running !== undefined) return undefined
    const started = startServer(host.identity, host.disk)
    if ('exits' in started) {
      host.exited = started.exits
      return undefined
    }
    host.running = started.running
    host.exited = undefined
    if (host.disk.text(paths.serf) !== 'left') this.#gossip(host, started.running)
    return undefined
  }

  #gossip(host: ModelHost, running: Running): void {
    for (const other of this.hosts) {
      if (other.running === undefined || other === host || other.disk.text(paths.serf) === 'left') continue
      other.running.gossip.add(host.identity.name)
      running.gossip.add(other.identity.name)
    }
  }

  join(name: string, addresses: readonly string[]): void {
    const host = this.host(name)
    host.disk.write(paths.serf, 'alive')
    for (const other of this.hosts)
      if (
        other.running !== undefined &&
        addresses.some(address => address.split(':')[0] === ipOf(other.identity.name))
      )
        other.disk.write(paths.serf, 'alive')
    if (host.running !== undefined) this.#gossip(host, host.running)
  }

  /** Ends the process without a leave, as SIGKILL does. */
  kill(name: string): void {
    const host = this.host(name)
    host.running = undefined
    for (const other of this.hosts) other.running?.gossip.delete(name)
  }

  /** Machine gone for ever. */
  destroy(name: string): void {
    this.kill(name)
    const host = this.host(name)
    host.reachable = false
    host.wanted = false
  }

  /** Lets time pass: managers restart, servers elect, replicate and reconcile. */
  pass(ms: number): void {
    if (this.killed) throw new Killed()
    for (let passed = 0; passed < ms; passed += 500) {
      this.nowMs += Math.min(500, ms - passed)
      this.tick()
    }
  }

  tick(): void {
    for (const host of this.hosts)
      if (host.restart && host.wanted && !host.held && host.running === undefined)
        this.start(host.identity.name)
    if (this.nowMs >= this.#electionDueMs) {
      this.#electionDueMs = this.nowMs + 2000
      for (const host of this.hosts) this.#bootstrap(host)
      this.#elect()
    }
    for (const host of this.hosts)
      if (host.running?.role === 'leader') {
        this.#replicate(host)
        this.#reconcile(host)
      }
  }

  #at(address: string): ModelHost | undefined {
    return this.hosts.find(host => host.identity.address === address && host.running !== undefined)
  }

  #leads(host: ModelHost): boolean {
    const leader = host.running?.leader
    return leader !== undefined && this.#at(leader)?.running?.role === 'leader'
  }

  /** bootstrap_expect: blank servers that see enough blank ones found a new cluster (rule S4). */
  #bootstrap(host: ModelHost): void {
    const {running} = host
    if (running === undefined || running.expect < 2 || endOf(raftOf(host)).index !== 0) return
    if (running.peers.length > 0) return
    const around = [...running.gossip].map(name => this.host(name))
    if (around.length < running.expect) return
    const taken = around.some(other => (other.running?.peers.length ?? 0) > 0)
    if (taken && !isLegacy(host.identity)) return
    const servers = around.map(other => asVoter(other.identity))
    if (isLegacy(host.identity)) this.#setLiveList(host, servers)
    else appendEntries(host, [{index: 1, term: 1, kind: 'peers', servers}], 1)
    running.peers = servers
    running.peersIndex = 1
  }

  #elect(): void {
    const worstFirst = this.hosts
      .filter(host => host.running !== undefined && !this.#leads(host))
      .sort((a, b) => compare(a, b))
    for (const host of worstFirst) if (!this.#leads(host) && this.#wins(host)) this.#crown(host)
  }

  #wins(host: ModelHost): boolean {
    const {running, identity} = host
    if (running === undefined) return false
    const others = running.peers.filter(peer => String(peer.address) !== identity.address)
    const listed = running.peers.some(peer => String(peer.id) === String(asVoter(identity).id))
    if (isLegacy(identity)) {
      if (others.length === 0) return running.mayElectAlone
    } else if (!listed) return false
    const voters = others.filter(peer => peer.suffrage === 'voter').length + 1
    const votes = others.filter(peer => {
      const other = this.#at(peer.address)
      return (
        peer.suffrage === 'voter' && other !== undefined && !this.#leads(other) && compare(host, other) >= 0
      )
    }).length
    return votes + 1 >= Math.floor(voters / 2) + 1
  }

  #crown(host: ModelHost): void {
    const {running, identity} = host
    if (running === undefined) return
    const term = Math.max(...this.hosts.filter(one => one.running).map(one => raftOf(one).currentTerm)) + 1
    running.role = 'leader'
    running.leader = identity.address
    running.mayElectAlone = false
    const index = endOf(raftOf(host)).index + 1
    if (!isLegacy(identity)) appendEntries(host, [{index, term, kind: 'noop'}], term)
    else {
      const self = asAddress(identity.address)
      const servers = [self, ...running.peers.filter(peer => peer.address !== self.address)]
      appendEntries(host, [{index, term, kind: 'peers', servers}], term)
      running.peers = servers
    }
    this.#replicate(host)
  }

  #replicate(leader: ModelHost): void {
    const {running, identity} = leader
    if (running === undefined) return
    const state = raftOf(leader)
    const reached: ModelHost[] = []
    for (const peer of running.peers) {
      const other = this.#at(peer.address)
      if (other === undefined || other === leader || other.running === undefined) continue
      if (raftOf(other).currentTerm > state.currentTerm) continue
      this.#send(leader, other)
      reached.push(other)
    }
    const voters = running.peers.filter(peer => peer.suffrage === 'voter').map(peer => String(peer.address))
    const acks = reached.filter(other => voters.includes(other.identity.address)).length
    const self = isLegacy(identity) || voters.includes(identity.address) ? 1 : 0
    const total = Math.max(voters.length, 1)
    if (acks + self < Math.floor(total / 2) + 1) {
      running.role = 'follower'
      running.leader = undefined
      return
    }
    for (const host of [leader, ...reached]) this.#commit(host, endOf(state).index)
  }

  /** Brings a follower's log to the leader's: entries where they fit, the leader's snapshot where they do not. */
  #send(leader: ModelHost, follower: ModelHost): void {
    const from = raftOf(leader)
    const to = raftOf(follower)
    const first = (from.snapshot?.index ?? 0) + 1
    const kept = to.entries.filter(entry => entry.index < first)
    const reaches = endOf({...to, entries: kept}).index >= first - 1
    if (!reaches && from.snapshot !== undefined) {
      const {snapshot} = from
      follower.disk.remove(paths.snapshots)
      follower.disk.set(`${paths.snapshots}/${snapshot.term}-${snapshot.index}-installed`, snapshot)
    }
    const entries = [...(reaches ? kept : []), ...from.entries]
    if (JSON.stringify(entries) !== JSON.stringify(to.entries) || to.currentTerm !== from.currentTerm)
      follower.disk.set(paths.store, {kind: 'store', entries, currentTerm: from.currentTerm})
    const {running} = follower
    if (running === undefined) return
    running.role = 'follower'
    running.leader = leader.identity.address
    if (!isLegacy(follower.identity)) {
      const {servers, index} = peersOf(raftOf(follower))
      running.peers = servers
      running.peersIndex = index
    }
  }

  #commit(host: ModelHost, index: number): void {
    const {running} = host
    if (running === undefined) return
    const before = running.commit
    running.commit = index
    if (!isLegacy(host.identity) || before === index) return
    const newest = raftOf(host)
      .entries.filter(entry => entry.kind === 'peers' && entry.index > before)
      .at(-1)
    if (newest?.kind === 'peers') this.#setLiveList(host, newest.servers)
  }

  #setLiveList(host: ModelHost, servers: readonly Server[]): void {
    if (host.running !== undefined) host.running.peers = servers
    const text = `${JSON.stringify(servers.map(server => server.address))}\n`
    if (host.disk.text(paths.peers) !== text) host.disk.write(paths.peers, text)
  }

  /** A leader adds servers that its gossip has alive and its peer set lacks. */
  #reconcile(leader: ModelHost): void {
    const {running, identity} = leader
    if (running === undefined || running.role !== 'leader') return
    for (const name of running.gossip) {
      const other = this.host(name)
      const server = asVoter(other.identity)
      if (running.peers.some(peer => peer.id === server.id && peer.address === server.address)) continue
      const servers = [
        ...running.peers.filter(peer => peer.id !== server.id && peer.address !== server.address),
        server,
      ]
      if (isLegacy(identity)) running.peers = servers
      this.#propose(leader, {kind: 'peers', servers})
      running.peers = servers
      this.#replicate(leader)
    }
  }

  #propose(leader: ModelHost, proposal: Proposal): void {
    const state = raftOf(leader)
    const place = {index: endOf(state).index + 1, term: state.currentTerm}
    appendEntries(leader, [{...place, ...proposal} as Entry], state.currentTerm)
  }

  /** Removes a peer through whoever leads. */
  removePeer(id: string, address: string): boolean {
    const leader = this.leader()
    if (leader?.running === undefined) return false
    const servers = leader.running.peers.filter(
      peer => String(peer.id) !== id && String(peer.address) !== address,
    )
    this.#propose(leader, {kind: 'peers', servers})
    leader.running.peers = servers
    this.#replicate(leader)
    return true
  }

  leader(): ModelHost | undefined {
    return this.hosts.find(host => host.running?.role === 'leader')
  }

  /** Writes through the leader; true when it is committed. */
  put(key: string, value: string): boolean {
    const leader = this.leader()
    if (leader === undefined) return false
    this.#propose(leader, {kind: 'put', key, value})
    this.#replicate(leader)
    return leader.running?.role === 'leader'
  }

  /** Deletes through the leader; true when it is committed. */
  drop(key: string): boolean {
    const leader = this.leader()
    if (leader === undefined) return false
    this.#propose(leader, {kind: 'delete', key})
    this.#replicate(leader)
    return leader.running?.role === 'leader'
  }

  /** The contents a host would have if all its log were applied. */
  allContents(name: string): ReadonlyMap<string, {readonly value: string}> {
    const state = raftOf(this.host(name))
    return contentsOf(state, endOf(state).index)
  }
}

function compare(a: ModelHost, b: ModelHost): number {
  const [x, y] = [endOf(raftOf(a)), endOf(raftOf(b))]
  return x.term - y.term || x.index - y.index
}
