import {decodeConflictResponse} from '../wire/serf-answers.js'
import {CONFLICT_QUERY} from './internal-queries.js'
import type {Queries} from './queries.js'
import type {StepContext} from './step-context.js'

/**
 * When somebody else has our name, the pool decides whose it is: both ask all members whom they know by it, and one
 * whom fewer than a majority name stops (`resolveNodeConflict`, serf.go).
 */
export class NameConflict {
  private voting = false

  constructor(
    private readonly context: StepContext,
    private readonly queries: () => Queries,
  ) {}

  /** Asks the pool, unless it is being asked. */
  resolve(): void {
    const {name, advertise, resolveNameConflicts} = this.context.options
    if (!resolveNameConflicts || this.voting) return
    this.voting = true
    let answers = 0
    let forUs = 0
    this.queries().start(
      {
        name: CONFLICT_QUERY,
        payload: new TextEncoder().encode(name),
        filters: {nodes: [], tags: {}},
        acknowledge: false,
        timeoutMs: undefined,
        relayFactor: 0,
      },
      {
        acknowledged: () => undefined,
        answered: (_from, payload) => {
          const answer = decodeConflictResponse(payload)
          if (!answer.ok || answer.value?.name !== name) return
          answers++
          if (answer.value.ip === advertise.ip && answer.value.port === advertise.port) forUs++
        },
        done: () => {
          this.voting = false
          const majority = Math.floor(answers / 2) + 1
          if (forUs >= majority) {
            this.context.log('info', `${forUs} of ${answers} members know us by our name: we keep it`)
            return
          }
          this.context.log(
            'error',
            `only ${forUs} of ${answers} members know us by our name: it is another's`,
          )
          this.context.emit({do: 'name-lost', name})
        },
      },
    )
  }
}
