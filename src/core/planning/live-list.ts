import {writePeersJson} from '../codec/peers-json.js'
import type {Configuration} from '../model/configuration.js'
import {voters} from '../model/configuration.js'
import type {PeersFixIntent, PlanResult} from '../model/plan.js'
import {commitsKept, quorumSize} from '../model/quorum.js'
import {assemble} from './assemble.js'
import type {PlanContext} from './context.js'
import {nothingLost} from './data-statement.js'
import {checkAccounted, declare} from './declare.js'
import {excludedOf} from './excluded.js'
import {checkActable, checkUnmasked, checkWritable, deadHost, planHost} from './hosts.js'
import {bootstrapOnce} from './recovery-file.js'
import type {Placed} from './recovery-phases.js'
import {recoveryPhases} from './recovery-phases.js'
import type {Target} from './select.js'
import {isRefusal, refuse, targetName} from './select.js'
import type {Situation} from './situation.js'
import {withPeers} from './situation.js'

/**
 * Plans the edit of the live lists of Consul up to 0.6 while there is a leader, for a peer that no online way
 * reaches: every answering voter is stopped, every list is written, all start again. Nothing is lost, because any
 * quorum afterwards includes a holder of every commit and this library counts no tail as committed at start.
 */
export function planLiveList(
  situation: Situation,
  before: Configuration,
  named: readonly Target[],
  intent: PeersFixIntent,
  context: PlanContext,
): PlanResult {
  const scoped = withPeers({...situation, peers: []}, before.servers)
  const declared = declare(scoped, intent)
  if (isRefusal(declared)) return declared
  const open = checkAccounted(before, declared)
  if (open !== undefined) return open
  const kept = declared.kept.filter(one => !one.blank)
  for (const one of declared.kept) {
    const refusal = checkActable(one) ?? checkUnmasked(one) ?? checkWritable(one)
    if (refusal !== undefined) return refusal
  }
  const aside = declared.setAside.flatMap(target => target.candidate ?? [])
  for (const one of aside) {
    const refusal = checkActable(one) ?? checkUnmasked(one)
    if (refusal !== undefined) return refusal
  }
  const servers = kept.flatMap(one => (one.peer === undefined ? [] : [one.peer]))
  const all = voters(before).length
  if (kept.length !== declared.kept.length || commitsKept(all, servers.length) !== 'all')
    return refuse(
      'BREAKS_QUORUM',
      `Of ${all} voters ${servers.length} would be left, and two of their quorums could miss a commit; ` +
        'remove one at a time.',
      named.slice(0, 1).map(target => `quorate peers fix --remove ${targetName(target)}`),
    )
  const after: Configuration = {servers}
  const fileText = writePeersJson(after, 'list')
  const once = bootstrapOnce(kept, {configuration: after, text: fileText, dialect: 'live-list', promoted: []})
  if (typeof once === 'object') return once
  const included: Placed[] = kept.map(candidate => ({
    candidate,
    host: planHost(scoped, candidate, 'included'),
  }))
  const setAside: Placed[] = aside.map(candidate => ({
    candidate,
    host: planHost(scoped, candidate, 'set-aside'),
  }))
  const dead = declared.dead.flatMap(({peer, candidate}) =>
    peer === undefined ? [] : [deadHost(scoped, peer, candidate)],
  )
  const names = named.map(targetName).join(', ')
  const plan = assemble(
    situation,
    {
      method: 'live-list',
      because: `Consul up to 0.6 has no removal of a peer, and gossip does not have ${names} as failed, so force-leave cannot reach it`,
      intent,
      before,
      after,
      data: nothingLost(
        `Nothing is lost: a commit needed ${quorumSize(all)} of ${all} voters, so every quorum of the ${servers.length} kept holds it.`,
      ),
      hosts: [...included.map(one => one.host), ...setAside.map(one => one.host), ...dead],
      risks: [],
      checks: [
        'Consul up to 0.6: peers.json is the live list and is written on every answering voter',
        'the service is down from the stop to the election',
      ],
      upAfter: servers.length,
      phases: id =>
        recoveryPhases(
          {
            plan: id,
            included,
            setAside,
            configuration: after,
            fileText,
            legacy: true,
            bootstrapOnce: once === 'write',
            needsPeersInfo: false,
            excluded: excludedOf(situation.fleet.cluster, before, dead),
          },
          context,
        ),
    },
    context,
  )
  return {kind: 'plan', plan, milder: []}
}
