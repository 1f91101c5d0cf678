import {createHash} from 'node:crypto'
import t from 'tap'
import type {FleetObservation} from '../../../src/core/model/observation.js'
import type {CollectedFleet} from '../../../src/engine/collect.js'
import {Session} from '../../../src/engine/session.js'
import {makePlan} from '../../../src/engine/use-cases/make-plan.js'
import {intent, survivors} from '../../core/planning/planning.js'
import {fleet, silent} from '../../helpers/fleet.js'

const abc = ['a', 'b', 'c']

/** A fleet of three with c silent, seen anew at each look; the clock moves only when somebody sleeps. */
class Watched extends Session {
  looks = 0
  nowMs = 1_000_000
  constructor(private readonly scenes: readonly FleetObservation[]) {
    const clock = {
      nowMs: () => this.nowMs,
      sleep: async (ms: number) => {
        this.nowMs += ms
        return Promise.resolve()
      },
    }
    const named = {
      fleet: {cluster: 'test', product: 'consul' as const, members: []},
      ...{origin: 'inventory' as const, clusterNamed: true, invocation: [], reach: []},
    }
    const sha256Text = (text: string): string => createHash('sha256').update(text).digest('hex')
    super({collect: {clock}, sha256Text, discover: false, options: {}} as never, named)
  }

  override async observe(): Promise<CollectedFleet> {
    const scene = this.scenes[Math.min(this.looks++, this.scenes.length - 1)]
    if (scene === undefined) throw new Error('no scene')
    return Promise.resolve({observation: scene, hosts: []})
  }
}

const leaderless = (): FleetObservation =>
  fleet({servers: [...survivors(['a'], abc), ...['b', 'c'].map(silent)]})
const led = (): FleetObservation =>
  fleet({
    servers: [
      ...survivors(['a'], abc, {leader: 'a', role: 'leader'}),
      ...survivors(['b'], abc, {leader: 'a'}),
      silent('c'),
    ],
  })

t.test('a recovery is planned only when no leader was seen for as long as an election may take', async t => {
  const session = new Watched([leaderless()])
  const waits: number[] = []
  const planned = await makePlan(session, intent({remove: ['b', 'c']}), seconds => waits.push(seconds))
  t.equal(planned.kind === 'plan' ? planned.plan.method : planned.kind, 'recovery-file')
  t.equal(waits[0], 15, 'five times the heartbeat, twice, and a vote')
  t.ok(session.looks > 5)
})

t.test('a leader that appears meanwhile takes the recovery off the table', async t => {
  const session = new Watched([leaderless(), leaderless(), led()])
  const came = await makePlan(session, intent({remove: ['b', 'c']}), () => undefined).then(
    planned => (planned.kind === 'plan' ? planned.plan.method : planned.kind),
    (error: {code: string}) => error.code,
  )
  t.not(came, 'recovery-file', came)
  t.ok(session.looks >= 3)
})

t.test('with a leader nobody waits', async t => {
  const session = new Watched([led()])
  const planned = await makePlan(session, intent({remove: ['c']}), () => t.fail('waited'))
  t.match(planned, {kind: 'plan', plan: {method: 'online'}})
})
