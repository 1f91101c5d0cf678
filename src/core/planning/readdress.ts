import {isIpAddress, parseHostPort} from '../codec/address.js'
import type {Server} from '../model/configuration.js'
import {serverAddress} from '../model/ids.js'
import type {PeersFixIntent, PlanResult} from '../model/plan.js'
import type {PlanContext} from './context.js'
import {planRecovery} from './recovery.js'
import {isRefusal, refuse, select, targetName} from './select.js'
import type {Moved, Situation} from './situation.js'
import {candidateFor, defaultRaftPort, joinAddress, withMoved} from './situation.js'

/**
 * Plans new addresses for servers that kept their data: same ids, same suffrage, nothing removed and nothing added.
 * Every server of the peer set takes part, so nothing is lost and the consent is lower than for a recovery.
 */
export function planReaddress(
  situation: Situation,
  intent: PeersFixIntent,
  context: PlanContext,
): PlanResult {
  const moved = new Map<string, Server['address']>()
  const moves = new Map<string, Moved>()
  for (const {from, to} of intent.readdress) {
    const old = select(situation, from)
    if (isRefusal(old)) return old
    if (old.peer === undefined)
      return refuse('UNKNOWN_SERVER', `${targetName(old)} is not in the peer set.`, ['quorate peers list'])
    const target = select(situation, to)
    const candidate = isRefusal(target) ? undefined : target.candidate
    const address = newAddress(situation, to, old.peer)
    if (address === undefined)
      return refuse('UNKNOWN_SERVER', `'${to.slice(0, 80)}' is no address: HOST or HOST:PORT is.`)
    const holder = candidate ?? candidateFor(situation, old.peer)
    if (holder === undefined || !holder.reached)
      return refuse('UNREAD_FACT', `No host that was reached has the address ${to.slice(0, 80)}.`, [
        'Name the host that has it, so that its data can be looked at.',
      ])
    moved.set(String(old.peer.id), address)
    moves.set(holder.host, {peerId: String(old.peer.id), address})
  }
  const names = intent.readdress.map(({from, to}) => `${from} to ${to}`).join(', ')
  return planRecovery(withMoved(situation, moves), intent, context, {
    why: `addresses changed (${names}) and there is no leader to tell`,
    readdressed: moved,
  })
}

/** The address meant by a word: as it is written, a server's own, or a bare host at the port that the entry has now. */
function newAddress(situation: Situation, text: string, old: Server): Server['address'] | undefined {
  if (parseHostPort(text) !== undefined) return serverAddress(text)
  const port = parseHostPort(String(old.address))?.port ?? defaultRaftPort(situation.fleet.product)
  if (isIpAddress(text)) return joinAddress(text, port)
  const named = situation.candidates.find(one => one.host === text || one.nodeName === text)
  if (named?.address !== undefined) return named.address
  return /^[0-9A-Za-z.-]+$/.test(text) ? joinAddress(text, port) : undefined
}
