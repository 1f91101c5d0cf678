import type {Condition, Plan, Step} from '../../core/model/plan.js'
import {printable} from '../../core/text.js'
import {formatBytes, formatDuration, formatLogEnd} from './text.js'

const path = (text: string): string => printable(text, 200)

/** What a step does, as an imperative phrase without its host. */
export function describeAction(step: Step, plan: Plan): string {
  const {action} = step
  const host = plan.hosts.find(one => one.host === step.host)
  const unit =
    host?.service === undefined
      ? 'the server'
      : `${printable(host.service.unit, 60)} (${host.service.manager})`
  switch (action.do) {
    case 'lock':
      return 'take the lock'
    case 'unlock':
      return 'give the lock back'
    case 'hold-service':
      return `keep ${unit} from being started`
    case 'release-service':
      return `give ${unit} its manager's state back`
    case 'stop-service':
      return action.firstSignal === 'SIGKILL'
        ? `kill ${unit}, so that it cannot leave the cluster`
        : `stop ${unit}, SIGKILL after ${formatDuration(action.graceMs)}`
    case 'prove-stopped':
      return 'prove it stopped: no process, no socket, nobody holds the store'
    case 'reread-log':
      return `read the log again; it must end at ${formatLogEnd(action.end)}`
    case 'fence':
      return `rename ${path(action.from)} to ${path(action.to)}`
    case 'copy':
      return `copy ${action.paths.map(path).join(', ')} to ${path(action.to)} (needs ${formatBytes(action.needBytes)})`
    case 'write-file':
      return `${action.replaces === undefined ? 'write' : 'replace'} ${path(action.path)}`
    case 'read-back':
      return `read ${path(action.path)} back`
    case 'move-away':
      return `move ${path(action.path)} to ${path(action.to)}`
    case 'restore-copy':
      return `put ${action.paths.map(path).join(', ')} back from ${path(action.from)}`
    case 'start-service':
      return `start ${unit}`
    case 'settle':
      return `wait until its log is committed to its end; start it again if it leads and cannot commit for ${formatDuration(action.standsMs)}`
    case 'join':
      return `join ${action.addresses.map(one => printable(one, 60)).join(', ')}`
    case 'remove-peer':
      return `remove peer ${printable(action.id, 60)} (${printable(action.address, 60)})`
    case 'force-leave':
      return `force ${printable(action.node, 60)} to leave`
    case 'await':
      return `wait until ${awaited(step, action.condition)}, ${formatDuration(action.withinMs)} at most`
  }
}

/** The condition, with the host it is about where that is another than the step's. */
function awaited(step: Step, condition: Condition): string {
  const text = describeCondition(condition)
  const about = condition.is === 'configuration' ? condition.host : step.host
  return about === step.host
    ? text
    : text.replace(/^its/, `the`).replace('set is', `set of ${printable(about, 40)} is`)
}

/** What must hold, as a clause. */
export function describeCondition(condition: Condition): string {
  switch (condition.is) {
    case 'stopped':
      return `${condition.hosts.join(', ')} are stopped`
    case 'held':
      return `${condition.hosts.join(', ')} are held`
    case 'locked':
      return `${condition.hosts.join(', ')} are locked`
    case 'file-absent':
      return `${path(condition.path)} is taken`
    case 'running':
      return 'it runs'
    case 'configuration':
      return `its peer set is the planned ${condition.servers.length === 1 ? 'server' : `${condition.servers.length} servers`}`
    case 'leader':
      return 'there is one leader'
    case 'verified':
      return 'everything is verified: one leader, one peer set, raft as gossip, one state'
  }
}
