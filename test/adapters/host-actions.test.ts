import t from 'tap'
import {makeHostActions} from '../../src/adapters/host-actions.js'
import {serviceManagerFor} from '../../src/adapters/service/index.js'
import type {PlanHost} from '../../src/core/model/plan.js'
import type {HostQuestions} from '../../src/ports/host-actions.js'
import type {CommandResult, HostConnection} from '../../src/ports/transport.js'
import {planFor} from '../model/rehearsal.js'
import {scenarios} from '../model/scenes.js'

/** A connection on which every program ends in the same way. */
function connectionThat(result: CommandResult): HostConnection {
  const none = (): Promise<never> => Promise.reject(new Error('only programs are run here'))
  return {
    host: 'a',
    access: {transport: 'ssh', user: 'root', root: 'root', sftp: true, forwarding: true},
    run: () => Promise.resolve(result),
    openFile: none,
    forward: none,
    close: () => Promise.resolve(),
  }
}

function aPlanHost(): PlanHost {
  const [scenario] = scenarios
  if (scenario === undefined) throw new Error('no scenario')
  const [host] = planFor(scenario.make(), {remove: scenario.dead}).hosts
  if (host === undefined) throw new Error('the plan has no host')
  return host
}

const unasked = (): Promise<never> => Promise.reject(new Error('nothing is asked here'))
const questions: HostQuestions = {
  readLog: unasked,
  leader: unasked,
  configuration: unasked,
  commitment: unasked,
  join: unasked,
  removePeer: unasked,
  forceLeave: unasked,
}
const commands = {status: ['status'], start: ['start'], stop: ['stop']}
const managers = ['systemd', 'runit', 'supervisor', 'sysv', 'upstart', 'custom'] as const

for (const name of managers)
  void t.test(`${name}: a lost connection is told from a manager that says no`, async t => {
    const actionsOver = (result: CommandResult) =>
      makeHostActions({
        connection: connectionThat(result),
        host: aPlanHost(),
        manager: serviceManagerFor(name),
        unit: {manager: name, unit: 'consul', custom: commands},
        holder: {plan: 'p1', by: 'op@laptop'},
        questions,
      })
    for (const why of ['lost', 'timed-out'] as const) {
      const actions = actionsOver({kind: 'failed', why, detail: 'the connection broke'})
      const gone = {ok: false, failure: 'lost', note: 'the connection broke'}
      t.match(await actions.hold(), gone)
      t.match(await actions.stop({firstSignal: 'SIGTERM', graceMs: 100}), gone)
      t.match(await actions.start(), gone)
      t.match(await actions.release(), gone)
    }
    const bytes = new TextEncoder()
    const no = actionsOver({
      ...{kind: 'exited', code: 1, signal: undefined, truncated: false},
      ...{stdout: new Uint8Array(), stderr: bytes.encode('no such service')},
    })
    t.match(await no.hold(), {ok: false, failure: 'failed'})
    t.match(await no.start(), {ok: false, failure: 'failed', note: /no such service/})
  })
