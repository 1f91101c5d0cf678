import type {Finding} from '../../model/finding.js'
import type {Trace} from '../../model/observation.js'
import {valueOf} from '../../model/reading.js'
import {onHost} from '../commands.js'
import type {ClusterFacts} from '../facts.js'
import {evidenceOf, listWords, makeFinding, remedy} from '../findings.js'
import type {ServerFacts} from '../server-facts.js'

interface Left {
  readonly server: ServerFacts
  readonly trace: Trace
}

/** What holds a server or locks its host. A server that its plan fenced stays held on purpose. */
function leftOn(server: ServerFacts): readonly Left[] {
  const traces = valueOf(server.server.traces) ?? []
  const fenced = new Set(traces.filter(trace => trace.kind === 'fenced').map(trace => trace.plan))
  return traces
    .filter(
      ({kind, path, plan}) =>
        (kind === 'lock' && path.endsWith('.lock')) || (kind === 'hold' && !fenced.has(plan)),
    )
    .map(trace => ({server, trace}))
}

/** Who took a lock, as its second line says. */
const takenBy = (left: readonly Left[]): string | undefined =>
  left.find(({trace}) => trace.kind === 'lock')?.trace.text.split(/\s+/)[1]

/** The lines that clear what is left by hand, for when the machine with the journal is gone. */
function clearing(left: readonly Left[]): readonly string[] {
  return left.flatMap(({server, trace}) => {
    const rm = onHost(server.server, 'rm', trace.path)
    return trace.kind === 'hold' ? [rm, onHost(server.server, 'systemctl', 'daemon-reload')] : [rm]
  })
}

/** UNFINISHED_PLAN: servers are held or locked by a plan that is still being applied, or that stopped part-way. */
export function unfinishedPlan(facts: ClusterFacts): readonly Finding[] {
  const left = facts.servers.flatMap(leftOn)
  const plans = [...new Set(left.map(({trace}) => trace.plan))]
  return plans.map(plan => {
    const mine = left.filter(({trace}) => trace.plan === plan)
    const on = (kind: Trace['kind']): readonly string[] => [
      ...new Set(mine.filter(({trace}) => trace.kind === kind).map(({server}) => server.host)),
    ]
    const [held, locked] = [on('hold'), on('lock')]
    const words = [
      ...(held.length > 0 ? [`keeps ${listWords(held)} from being started`] : []),
      ...(locked.length > 0 ? [`has locked ${listWords(locked)}`] : []),
    ]
    const by = takenBy(mine)
    const where = by === undefined ? 'on the machine that began it' : `as ${by}`
    return makeFinding({
      code: 'UNFINISHED_PLAN',
      severity: 'warning',
      summary: `Plan ${plan} ${words.join(' and ')}.`,
      explanation:
        'It is being applied right now, or it stopped part-way. Until it ends no other plan touches them.',
      evidence: mine.map(({server, trace}) => evidenceOf(server.server.traces.source, trace.path)),
      remedies: [
        remedy(
          'nothing',
          `Go on with it, or take it back, ${where}.`,
          'Only if nobody is applying it right now.',
          [`quorate resume ${plan}`, `quorate resume ${plan} --back`],
        ),
        remedy(
          'availability',
          'Clear it by hand, when its journal is gone for good.',
          'Servers may then start on what the plan wrote: look at raft/peers.json on each of them before.',
          clearing(mine),
        ),
      ],
    })
  })
}
