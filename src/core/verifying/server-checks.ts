import {sameServers} from '../model/configuration.js'
import type {Configuration} from '../model/configuration.js'
import {believedState, isLegacyConsul} from '../model/disk-state.js'
import {isAbsent, valueOf} from '../model/reading.js'
import type {Check} from '../model/verdict.js'
import type {Evidence, Judged} from './expectation.js'
import {pendingOrWrong} from './expectation.js'

const check = (name: string, judged: Judged, state: Check['state'], text: string): Check => ({
  name,
  host: judged.host.host,
  state,
  text,
})

const names = (configuration: Configuration): string =>
  configuration.servers.map(server => server.address).join(', ') || 'no servers'

/** The checks that look at one server by itself. */
export function checkServer(evidence: Evidence, judged: Judged): readonly Check[] {
  return [
    checkUp(evidence, judged),
    checkFileTaken(evidence, judged),
    checkConfiguration(evidence, judged),
    checkOwnId(judged),
    checkPeerCount(evidence, judged),
    checkBootstrap(judged),
    checkHold(evidence, judged),
  ].filter(one => one !== undefined)
}

function checkUp(evidence: Evidence, judged: Judged): Check {
  const processes = valueOf(judged.seen.processes)
  if (valueOf(judged.seen.api.leader) !== undefined) return check('up', judged, 'ok', 'it runs and answers')
  if (processes === undefined) return check('up', judged, 'pending', 'no answer from the host')
  if (processes.length > 0) return check('up', judged, 'pending', 'it runs and does not answer yet')
  return check('up', judged, pendingOrWrong(evidence), 'its server does not run')
}

/**
 * The recovery file is gone and its peer set is in force. A file that is gone while the old peer set stands was
 * deleted unread, as Consul and Nomad do without peers.info (`setupRaft`); time does not cure that.
 */
function checkFileTaken(evidence: Evidence, judged: Judged): Check | undefined {
  const {expectation} = evidence
  if (!expectation.files.has(judged.host.host)) return undefined
  const {peersFile} = judged.seen
  const name = 'file taken'
  if (isLegacyConsul(judged.seen)) {
    const file = valueOf(peersFile)
    if (file === undefined)
      return isAbsent(peersFile)
        ? check(name, judged, 'wrong', 'its live list peers.json is gone')
        : check(name, judged, 'pending', 'its live list peers.json was not read')
    const listed = new Set(file.servers.map(server => server.address))
    const wanted = expectation.servers.map(server => String(server.address))
    const same = listed.size === wanted.length && wanted.every(address => listed.has(address))
    return same
      ? check(name, judged, 'ok', 'its live list is as planned')
      : check(
          name,
          judged,
          pendingOrWrong(evidence),
          `its live list holds ${[...listed].join(', ') || 'nobody'}`,
        )
  }
  if (peersFile.kind === 'read')
    return check(name, judged, pendingOrWrong(evidence), 'peers.json is still there: it was not taken')
  if (!isAbsent(peersFile)) return check(name, judged, 'pending', 'whether peers.json was taken was not read')
  const {configuration} = believedState(judged.seen)
  if (configuration === undefined)
    return check(name, judged, 'pending', 'peers.json is gone and the peer set was not read')
  const planned = sameServers(configuration, {servers: expectation.servers})
  if (!planned && sameServers(configuration, expectation.plan.before))
    return check(
      name,
      judged,
      'wrong',
      `peers.json was deleted unread: the peer set is still ${names(configuration)}`,
    )
  return check(name, judged, 'ok', 'peers.json was taken')
}

function checkConfiguration(evidence: Evidence, judged: Judged): Check {
  const {configuration} = believedState(judged.seen)
  const name = 'peer set'
  if (configuration === undefined) return check(name, judged, 'pending', 'its peer set was not read')
  if (sameServers(configuration, {servers: evidence.expectation.servers}))
    return check(name, judged, 'ok', `its peer set is the planned one, of ${configuration.servers.length}`)
  return check(
    name,
    judged,
    pendingOrWrong(evidence),
    `its peer set is ${names(configuration)}, not the planned one`,
  )
}

/**
 * Whether the id by which the server knows itself is in the peer set. hashicorp/raft takes a peer set with a wrong
 * id without a word; the server then never stands for election (`not part of stable configuration`).
 */
function checkOwnId(judged: Judged): Check | undefined {
  const {configuration} = believedState(judged.seen)
  if (configuration === undefined || isLegacyConsul(judged.seen)) return undefined
  const nodeId = valueOf(judged.seen.api.self)?.nodeId ?? valueOf(judged.seen.nodeId)
  if (nodeId === undefined) return undefined
  const byAddress = configuration.servers.find(server => server.address === judged.host.address)
  if (
    byAddress === undefined ||
    byAddress.id === nodeId ||
    String(byAddress.id) === String(byAddress.address)
  )
    return check('own id', judged, 'ok', 'its own id is in its peer set')
  return check(
    'own id',
    judged,
    'wrong',
    `its peer set names it ${byAddress.id}, and its own id is ${nodeId}: it will never stand for election`,
  )
}

function checkPeerCount(evidence: Evidence, judged: Judged): Check | undefined {
  const raft = valueOf(judged.seen.api.self)?.raft
  if (raft === undefined) return undefined
  const others = evidence.expectation.servers.filter(
    server =>
      server.suffrage === 'voter' && server.id !== judged.host.id && server.address !== judged.host.address,
  ).length
  if (raft.numPeers === others) return check('peer count', judged, 'ok', `it counts ${others} other voters`)
  return check(
    'peer count',
    judged,
    pendingOrWrong(evidence),
    `it counts ${raft.numPeers} other voters; ${others} are planned`,
  )
}

/** A leftover of a one-time bootstrap elects this server alone, on any data, at a later start (up to Consul 0.6). */
function checkBootstrap(judged: Judged): Check | undefined {
  const config = valueOf(judged.seen.config)
  if (config === undefined || !isLegacyConsul(judged.seen)) return undefined
  if (config.bootstrap === true || config.bootstrapExpect === 1)
    return check(
      'bootstrap',
      judged,
      'wrong',
      `a bootstrap setting is left behind (${config.bootstrapSource ?? 'config'})`,
    )
  return check('bootstrap', judged, 'ok', 'no bootstrap setting is left behind')
}

function checkHold(evidence: Evidence, judged: Judged): Check | undefined {
  const service = valueOf(judged.seen.service)
  if (service === undefined) return undefined
  const hold = valueOf(judged.seen.traces)?.find(trace => trace.kind === 'hold')
  const maskedBefore = judged.host.service?.masked ?? false
  if (hold === undefined && (!service.masked || maskedBefore))
    return check('manager', judged, 'ok', 'its service manager is as it was')
  return check('manager', judged, pendingOrWrong(evidence), 'its service manager is still held')
}
