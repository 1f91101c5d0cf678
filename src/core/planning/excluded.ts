import {excludedRecordPath, writeExcludedRecord} from '../codec/excluded-record.js'
import type {Configuration} from '../model/configuration.js'
import type {ExcludedRecord} from '../model/observation.js'
import type {PlanHost} from '../model/plan.js'
import type {PlanContext} from './context.js'
import {deadArithmetic} from './recovery-risks.js'
import type {StepDraft} from './steps.js'

/** What a plan leaves behind of servers that it excludes without having fenced them; without the plan's own id. */
export type Excluded = Omit<ExcludedRecord, 'plan'>

const RECORD_MODE = 0o644
const ROOT = {uid: 0, gid: 0}

/**
 * The servers of a plan that nobody can fence, because they do not answer, and how they stand against the quorum of
 * the peer set before (safety rule S2). Undefined when there are none.
 */
export function excludedOf(
  cluster: string,
  before: Configuration,
  hosts: readonly PlanHost[],
): Excluded | undefined {
  const dead = hosts.filter(host => host.role === 'dead')
  if (dead.length === 0) return undefined
  return {
    cluster,
    servers: dead.map(({host, id, address, nodeName}) => {
      const name = nodeName ?? (host === address ? undefined : host)
      return name === undefined ? {id, address} : {id, address, name}
    }),
    arithmetic: deadArithmetic(before, new Set(dead.map(host => host.id))),
  }
}

/**
 * Notes the excluded servers on a host, where doctor finds them again for as long as they are a danger. The note lies
 * outside the server's directories, so that no barrier need stand for it.
 */
export function excludedStep(
  host: string,
  excluded: Excluded,
  plan: string,
  context: PlanContext,
): StepDraft {
  const text = writeExcludedRecord({plan, ...excluded})
  return {
    host,
    action: {
      do: 'write-file',
      path: excludedRecordPath(plan),
      text,
      sha256: context.sha256(text),
      mode: RECORD_MODE,
      owner: ROOT,
      replaces: undefined,
    },
    undo: 'moving it away',
  }
}
