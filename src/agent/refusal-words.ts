import type {Problem} from './backend.js'
import type {WishOutcome} from './raft-driver.js'
import type {Refusal} from '../core/raft/messages.js'

/** What hashicorp/raft says (api.go), which clients know from Consul's answers. */
const WORDS: Readonly<Record<Refusal, string>> = {
  'not-leader': 'node is not the leader',
  'lost-leadership': 'leadership lost while committing log',
  'no-quorum-contact': 'leadership lost while committing log',
  'transfer-in-progress': 'leadership transfer in progress',
  'configuration-in-progress': 'configuration change in progress',
  'illegal-configuration': 'the change would leave an illegal configuration',
  'previous-index-mismatch': 'configuration changed since the given index',
  'too-many-in-flight': 'rate limit exceeded: too many requests under way',
  'shutting-down': 'raft is already shutdown',
  'timed-out': 'timed out enqueuing operation',
  'has-existing-state': 'bootstrap only works on new clusters',
  'snapshot-failed': 'failed to take a snapshot',
}

/** Why a wish was not done, in the words of the field. */
export const refusalWords = (why: Refusal): string => WORDS[why]

/** The problem of an outcome; undefined when there is none. */
export const problemOf = (outcome: WishOutcome): Problem | undefined =>
  outcome.ok ? undefined : {problem: refusalWords(outcome.why)}
