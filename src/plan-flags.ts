import {Flags} from '@oclif/core'
import type {ProgressStyle} from './ui/live-progress.js'

const GROUP = 'CONSENT'

/** How a plan is consented to without a terminal. There is no --force, and --yes never stands in for --confirm. */
export const consentFlags = {
  yes: Flags.boolean({char: 'y', helpGroup: GROUP, summary: 'Say yes to a plan that puts nothing at risk.'}),
  confirm: Flags.string({
    helpGroup: GROUP,
    helpValue: 'NAME',
    summary: "The cluster's name, to consent to a plan that may cost data or a quorum.",
  }),
  accept: Flags.string({
    helpGroup: GROUP,
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'CODE',
    summary: 'Accept one open risk of the plan by its code.',
  }),
}

/** How progress is told on stderr. */
export const progressFlag = {
  progress: Flags.custom<ProgressStyle>({
    options: ['lines', 'json', 'silent'],
    summary: 'Progress on stderr: lines, journal-like JSON lines, or none (the default with --json).',
  })(),
}

/** For how long a recovered cluster must agree with itself before it is called verified. */
export const reconcileFlag = {
  reconcile: Flags.integer({
    min: 1,
    max: 3600,
    default: 60,
    env: 'QUORATE_RECONCILE',
    helpValue: 'SECONDS',
    summary: "How long raft and gossip must agree; the leader's reconcile interval, 60 s in Consul.",
  }),
}
