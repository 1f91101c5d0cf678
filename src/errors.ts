import {Errors} from '@oclif/core'
import {EXIT} from './exit-codes.js'
import type {ExitName} from './exit-codes.js'

/** Every error an operator can act on, once: `quorate-errors.7` is made from it and tests demand that each is raised. */
export const ERRORS = {
  // Naming the fleet and bad input
  USAGE: {exit: 'usage', means: 'A flag or argument is not what the command takes.'},
  INVENTORY_NOT_FOUND: {exit: 'usage', means: 'No inventory file was found and no host was named.'},
  INVENTORY_INVALID: {exit: 'usage', means: 'The inventory file does not parse or breaks its schema.'},
  CLUSTER_UNKNOWN: {
    exit: 'usage',
    means: 'Neither the inventory nor this machine has a cluster of this name.',
  },
  CLUSTER_AMBIGUOUS: {exit: 'usage', means: 'The inventory has several clusters and none was named.'},
  NOT_A_RAFT_DIRECTORY: {exit: 'usage', means: 'The directory holds no Raft data.'},
  STORE_UNREADABLE: {exit: 'inconclusive', means: 'The log store is damaged or could not be read.'},
  PLAN_UNREADABLE: {exit: 'usage', means: 'The plan file does not parse or was made by another format.'},
  PLAN_UNKNOWN: {exit: 'usage', means: 'There is no journal of a plan with this id.'},
  PLAN_UNWRITABLE: {exit: 'usage', means: 'A plan could not be saved where it was to be.'},
  JOURNAL_UNUSABLE: {
    exit: 'usage',
    means: 'The directory of plans and journals on this machine cannot be read or made.',
  },
  // Reaching hosts
  HOST_UNREACHABLE: {
    exit: 'unreachable',
    means: 'A host that the command needs does not answer or refuses the connection.',
  },
  HOST_KEY_UNKNOWN: {exit: 'unreachable', means: 'The host offered a key that known_hosts does not hold.'},
  HOST_KEY_CHANGED: {
    exit: 'unreachable',
    means: 'The host offered another key than known_hosts holds, or a revoked one.',
  },
  LOGIN_REFUSED: {exit: 'unreachable', means: 'The host refused our login.'},
  SUDO_REFUSED: {exit: 'unreachable', means: 'Root is needed on a host and sudo refused us.'},
  // Refusals of the planner; nothing was changed
  QUORUM_PRESENT: {exit: 'refused', means: 'There is a leader; a recovery file would only do harm.'},
  DEAD_BUT_ANSWERS: {exit: 'refused', means: 'A server was declared dead, yet it answers.'},
  MISSING_UNDECLARED: {exit: 'refused', means: 'A server is missing and was not declared dead.'},
  MAJORITY_ELSEWHERE: {
    exit: 'refused',
    means: 'Servers outside the plan could be a working majority somewhere else.',
  },
  LOOK_ALIKE: {
    exit: 'refused',
    means: 'The cluster has no usable leader for a reason that a recovery file does not cure.',
  },
  SEVERAL_HISTORIES: {
    exit: 'refused',
    means: 'The servers hold logs of different histories and none was chosen.',
  },
  PEER_SET_UNKNOWN: {exit: 'refused', means: 'The peer set before cannot be established.'},
  NO_SURVIVOR: {exit: 'refused', means: 'No server that holds a log would be kept.'},
  BLANK_SURVIVOR: {exit: 'refused', means: 'A server to be kept holds no log.'},
  UNREAD_FACT: {exit: 'refused', means: 'A fact that the plan must rest on could not be read.'},
  BREAKS_QUORUM: {exit: 'refused', means: 'The change would leave fewer servers up than a quorum needs.'},
  REMOVES_BEST_LOG: {exit: 'refused', means: 'The server to be removed is up and holds the best log.'},
  UNKNOWN_SERVER: {
    exit: 'refused',
    means: 'No server of this name, id or address is in the peer set or among the hosts.',
  },
  ILLEGAL_PEER_SET: {exit: 'refused', means: 'The peer set after would be illegal.'},
  DUPLICATE_SERVER: {
    exit: 'refused',
    means: 'Two of the named hosts are one server, or call themselves by one id or address.',
  },
  NO_ROOT: {exit: 'refused', means: 'The plan needs root on a host and has none there.'},
  NO_SPACE: {exit: 'refused', means: 'A host has no room for the copies that are made first.'},
  NO_SERVICE_MANAGER: {
    exit: 'refused',
    means: 'It could not be found out what starts and stops the server on a host, or its unit is masked.',
  },
  UNSUPPORTED_PRODUCT: {
    exit: 'refused',
    means: 'quorate does not change servers of this product or version.',
  },
  UNSUPPORTED_STORE: {
    exit: 'refused',
    means: 'The log store is of a kind that quorate does not read, such as LMDB.',
  },
  MIXED_CHANGE: {exit: 'refused', means: 'Addresses and members cannot be changed by the same plan.'},
  LEADER_UNSURE: {exit: 'refused', means: 'Servers disagree on whether there is a leader.'},
  BOOTSTRAP_SET: {
    exit: 'refused',
    means: 'A setting would let a server found a cluster of its own, and quorate cannot change it there.',
  },
  // Apply, resume, verify
  PLAN_STALE: {exit: 'refused', means: 'A fact that the plan rests on has changed since it was made.'},
  PLAN_EXPIRED: {exit: 'refused', means: 'The plan is older than its expiry.'},
  PLAN_OTHER_CLUSTER: {exit: 'refused', means: 'The plan was made for another cluster.'},
  LOCKED: {exit: 'refused', means: 'Another run of quorate holds the lock on a host.'},
  RISK_NOT_ACCEPTED: {exit: 'refused', means: 'The plan has an open risk that was not accepted by name.'},
  NOT_CONFIRMED: {
    exit: 'declined',
    means: 'The operator said no, or there was nobody to ask and no --confirm.',
  },
  BARRIER_BROKEN: {
    exit: 'incomplete',
    means: 'A server that must be stopped runs; nothing was written after that was seen.',
  },
  PLAN_UNFINISHED: {
    exit: 'incomplete',
    means: 'The plan stopped part-way or was taken back, so that it cannot be verified.',
  },
  STEP_FAILED: {exit: 'incomplete', means: 'A step failed; the plan stopped there.'},
  CONNECTION_LOST: {exit: 'incomplete', means: 'The connection to a host broke while a plan was applied.'},
  STOPPED_BY_OPERATOR: {exit: 'incomplete', means: 'The operator stopped the plan after a step.'},
  BACK_IMPOSSIBLE: {
    exit: 'refused',
    means: 'The plan can no longer be taken back: a leader has committed since.',
  },
  BACK_INCOMPLETE: {
    exit: 'incomplete',
    means: 'A host still holds the recovery file, because it could not be reached while taking back.',
  },
  UNVERIFIED: {exit: 'unverified', means: 'Every step is done, but the cluster did not converge in time.'},
  VERIFY_FAILED: {exit: 'verify-failed', means: 'Every step is done, and the cluster is not as planned.'},
  // The agent, and agents asked over their API
  AGENT_CONFIG_INVALID: {
    exit: 'usage',
    means: 'A flag or a config file of the agent has an unknown key, a wrong value or a contradiction.',
  },
  AGENT_NOT_STARTED: {exit: 'refused', means: 'The agent could not start; its message says why.'},
  API_UNREACHABLE: {exit: 'unreachable', means: 'No agent answers at the address of the HTTP API.'},
  API_REFUSED: {exit: 'refused', means: 'The agent refused what it was asked, or could not do it.'},
  API_NO_LEADER: {exit: 'quorum-lost', means: 'The agent knows no leader that could do it.'},
  KEY_NOT_FOUND: {exit: 'refused', means: 'The KV store has no such key.'},
  CHECK_FAILED: {
    exit: 'refused',
    means: 'The key has changed since, or is locked; nothing was written.',
  },
  // Local clusters
  NO_LOOPBACK: {
    exit: 'refused',
    means: 'This system has no loopback address for each server of a local cluster, or none is free.',
  },
  CLUSTER_EXISTS: {exit: 'refused', means: 'A local cluster of this name and of another shape is there.'},
  AGENT_FAILED: {exit: 'incomplete', means: 'An agent of a local cluster ended, or no leader came in time.'},
  HELD: {exit: 'refused', means: 'A plan keeps a server of a local cluster from being started.'},
  NOT_PLAYABLE: {exit: 'refused', means: 'A drill needs something that this machine does not give it.'},
  GONE: {exit: 'refused', means: 'The machine of a server of a local cluster was destroyed.'},
  STILL_RUNS: {exit: 'refused', means: 'A server of a local cluster runs, and must not for this.'},
} as const satisfies Record<string, {readonly exit: ExitName; readonly means: string}>

export type ErrorCode = keyof typeof ERRORS

export interface QuorateErrorOptions {
  readonly hints?: readonly string[]
  readonly details?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

/** An error the operator can act on. Everything else that escapes is a bug. */
export class QuorateError extends Errors.CLIError {
  override readonly code: ErrorCode
  /** oclif reads this under --json, and `oclif.exit` otherwise; they must agree. */
  readonly exitCode: number
  readonly details: Readonly<Record<string, unknown>>
  readonly hints: readonly string[]
  readonly ref: string
  constructor(code: ErrorCode, message: string, options: QuorateErrorOptions = {}) {
    const exit = EXIT[ERRORS[code].exit]
    super(message, {code, exit, suggestions: [...(options.hints ?? [])]})
    this.code = code
    this.exitCode = exit
    this.hints = options.hints ?? []
    this.ref = `man 7 quorate-errors, ${code}` // CLIError's constructor drops ref
    this.details = options.details ?? {}
    if (options.cause !== undefined) this.cause = options.cause
  }
}
