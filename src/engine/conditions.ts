import {assertNever} from '../core/assert.js'
import {sameServers} from '../core/model/configuration.js'
import type {Condition, Plan} from '../core/model/plan.js'
import type {Answer, HostActions} from '../ports/host-actions.js'
import {barrierGaps} from './plan-hosts.js'
import type {PlanHosts} from './plan-hosts.js'

/** A condition that holds, or what stands against it. `barrier`: a server runs that must not. */
export type Held =
  | {readonly holds: true}
  | {readonly holds: false; readonly kind: 'barrier' | 'lost' | 'false'; readonly why: string}

const holds: Held = {holds: true}

async function ask(
  hosts: PlanHosts,
  host: string,
  question: (actions: HostActions) => Promise<Answer<string | undefined>>,
): Promise<Held> {
  const reached = await hosts.on(host)
  const answer = reached.ok ? await question(reached.value) : reached
  if (!answer.ok)
    return {holds: false, kind: answer.failure === 'lost' ? 'lost' : 'false', why: `${host}: ${answer.note}`}
  return answer.value === undefined ? holds : {holds: false, kind: 'false', why: `${host}: ${answer.value}`}
}

/** Turns an answer into what stands against it. */
async function against<T>(
  asked: Promise<Answer<T>>,
  objection: (value: T) => string | undefined,
): Promise<Answer<string | undefined>> {
  const answer = await asked
  return answer.ok ? {ok: true, value: objection(answer.value)} : answer
}

async function everyHost(names: readonly string[], check: (host: string) => Promise<Held>): Promise<Held> {
  const all = await Promise.all(names.map(check))
  return all.find(one => !one.holds) ?? holds
}

/** Checks one condition on the hosts, now. `verified` is the business of whoever awaits it and never holds here. */
export async function checkCondition(
  plan: Plan,
  hosts: PlanHosts,
  by: string,
  condition: Condition,
): Promise<Held> {
  switch (condition.is) {
    case 'stopped':
    case 'held': {
      const stopped = condition.is === 'stopped'
      const gaps = await barrierGaps(hosts, condition.hosts, {stopped, held: !stopped})
      const gap = gaps[0]
      if (gap === undefined) return holds
      return {
        holds: false,
        kind: gap.lost ? 'lost' : 'barrier',
        why: gaps.map(g => `${g.host}: ${g.why}`).join('; '),
      }
    }
    case 'locked':
      return await everyHost(condition.hosts, async host => {
        const holder = await hosts.lockHolder(host)
        if (!holder.ok)
          return {
            holds: false,
            kind: holder.failure === 'lost' ? 'lost' : 'false',
            why: `${host}: ${holder.note}`,
          }
        const {value} = holder
        if (value?.plan === (plan.of ?? plan.id) && value.by === by) return holds
        const whose = value === undefined ? 'nobody holds it' : `${value.by} holds it for plan ${value.plan}`
        return {holds: false, kind: 'false', why: `${host}: the lock is not ours: ${whose}`}
      })
    case 'file-absent':
      return await ask(hosts, condition.host, actions =>
        against(actions.exists(condition.path), there => (there ? `${condition.path} is there` : undefined)),
      )
    case 'running':
      return await ask(hosts, condition.host, actions =>
        against(actions.running(), running => (running ? undefined : 'the server does not run')),
      )
    case 'configuration':
      return await ask(hosts, condition.host, actions =>
        against(actions.configuration(), servers =>
          sameServers({servers}, {servers: condition.servers})
            ? undefined
            : `its peer set is ${servers.map(server => server.address).join(', ') || 'empty'}`,
        ),
      )
    case 'leader':
      return await checkLeader(hosts, condition.hosts)
    case 'verified':
      return {holds: false, kind: 'false', why: 'not verified yet'}
    default:
      return assertNever(condition)
  }
}

async function checkLeader(hosts: PlanHosts, names: readonly string[]): Promise<Held> {
  const leaders = new Set<string>()
  const each = await everyHost(names, host =>
    ask(hosts, host, actions =>
      against(actions.leader(), leader => {
        if (leader === '') return 'knows no leader'
        leaders.add(leader)
        return undefined
      }),
    ),
  )
  if (!each.holds || leaders.size === 1) return each
  return {holds: false, kind: 'false', why: `several leaders are named: ${[...leaders].join(', ')}`}
}

/** A condition that was waited for and is met, in words. */
export function describeMet(condition: Condition): string {
  switch (condition.is) {
    case 'leader':
      return 'they agree on one leader'
    case 'configuration':
      return `its peer set is the planned one, of ${condition.servers.length}`
    case 'file-absent':
      return `${condition.path} was taken`
    case 'running':
      return 'it runs'
    default:
      return `${condition.is} holds`
  }
}
