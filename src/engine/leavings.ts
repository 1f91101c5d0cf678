import type {Action, Plan, Step} from '../core/model/plan.js'
import type {HostsLeft} from '../core/model/progress.js'

/**
 * In what state the steps of a plan left its hosts. A step that was begun counts as acted where that is the worse
 * news (stopped, held, written), and a step back to normal counts only when it is done.
 */
export function hostsLeft(plan: Plan, begun: ReadonlySet<string>, done: ReadonlySet<string>): HostsLeft {
  const steps = [...plan.phases.flatMap(phase => phase.steps), ...putBackCandidates(plan).flat()]
  const hostsWhere = (ids: ReadonlySet<string>, ...kinds: Action['do'][]): ReadonlySet<string> =>
    new Set(steps.filter(step => ids.has(step.id) && kinds.includes(step.action.do)).map(step => step.host))
  const without = (all: ReadonlySet<string>, gone: ReadonlySet<string>): readonly string[] =>
    plan.hosts.map(host => host.host).filter(host => all.has(host) && !gone.has(host))
  const none: ReadonlySet<string> = new Set()
  return {
    stopped: without(hostsWhere(begun, 'stop-service'), hostsWhere(done, 'start-service')),
    held: without(hostsWhere(begun, 'hold-service'), hostsWhere(done, 'release-service')),
    locked: without(hostsWhere(begun, 'lock'), hostsWhere(done, 'unlock')),
    written: without(hostsWhere(begun, 'write-file'), none),
    fenced: without(hostsWhere(begun, 'fence'), none),
  }
}

/** Ids of steps that put a host back carry this prefix, so that no step of a plan can be mistaken for one. */
const putBackPrefix = 'put-back'

function putBackCandidates(plan: Plan): Step[][] {
  const kinds = ['release-service', 'start-service', 'unlock'] as const
  return plan.hosts.map(host =>
    kinds.map(kind => ({
      id: `${putBackPrefix}.${host.host}.${kind}`,
      host: host.host,
      action: {do: kind},
      requires: [],
      undo: 'quorate resume does it again',
    })),
  )
}

/**
 * The steps that bring hosts back to what they were before a plan that has written nothing: release what it held,
 * start what it stopped and had found running, give back its locks. One chain for each host.
 */
export function putBackSteps(
  plan: Plan,
  begun: ReadonlySet<string>,
  done: ReadonlySet<string>,
): readonly (readonly Step[])[] {
  const left = hostsLeft(plan, begun, done)
  const wanted = (step: Step): boolean => {
    if (step.action.do === 'release-service') return left.held.includes(step.host)
    if (step.action.do === 'unlock') return left.locked.includes(step.host)
    const wasRunning = plan.hosts.find(host => host.host === step.host)?.service?.wasRunning ?? false
    return left.stopped.includes(step.host) && wasRunning
  }
  return putBackCandidates(plan)
    .map(chain => chain.filter(wanted))
    .filter(chain => chain.length > 0)
}
