import t from 'tap'
import {isExcludedRecord} from '../../src/core/codec/excluded-record.js'
import type {Plan} from '../../src/core/model/plan.js'
import type {ApplyOutcome} from '../../src/core/model/progress.js'
import {QuorateError} from '../../src/errors.js'
import {paths} from '../model/disk.js'
import {MemoryJournal, planFor, run} from '../model/rehearsal.js'
import type {Moment, Rehearsal} from '../model/rehearsal.js'
import {appendEntries, raftOf} from '../model/server.js'
import {dies} from '../model/scenes.js'
import {Killed, World} from '../model/world.js'

const dead = ['c', 'd', 'e']

/** Five servers of Consul 0.7, three of them gone, and the plan that recovers the other two. */
function outage(): {rehearsal: Rehearsal; world: World; plan: Plan; journal: MemoryJournal} {
  const names = ['a', 'b', 'c', 'd', 'e']
  const world = new World('0.7.5', names)
  world.seed(names, {a: 9, b: 9, c: 9, d: 9, e: 9})
  for (const name of ['a', 'b']) world.start(name)
  for (const name of dead) world.destroy(name)
  world.pass(20_000)
  const journal = new MemoryJournal()
  return {world, journal, rehearsal: {world, journal, events: []}, plan: planFor(world, {declaredDead: dead})}
}

const raftOn = (world: World, name: string): string =>
  world.host(name).disk.fingerprint([paths.raft, paths.config])
const works = (world: World): boolean => {
  world.pass(3000)
  return world.put('after', 'x') && ['a', 'b'].every(name => world.allContents(name).get('k9') !== undefined)
}
const stopped = (outcome: ApplyOutcome): Extract<ApplyOutcome, {kind: 'stopped'}> => {
  if (outcome.kind !== 'stopped') throw new Error(`it finished: ${outcome.outcome}`)
  return outcome
}

t.test('every record is on disk before its step acts, and again before the next one begins', async t => {
  const {rehearsal, plan, journal} = outage()
  const acting = new Map<string, string>()
  const moment: Moment = place => {
    const [when, what, , host] = place.split(' ')
    if (when === 'before' && what !== 'record' && host !== undefined) {
      const last = journal.lines.filter(entry => 'host' in entry && entry.host === host).at(-1)
      if (['writeFile', 'fence', 'copy', 'stop', 'start', 'hold', 'release'].includes(what ?? ''))
        if (last?.type !== 'begin') acting.set(place, last?.type ?? 'nothing')
    }
    return undefined
  }
  t.match(await run(plan, {...rehearsal, moment}), {kind: 'finished', outcome: 'verified'})
  t.same([...acting], [])
  const steps = plan.phases.flatMap(phase => phase.steps).length
  t.equal(journal.lines.filter(entry => entry.type === 'done').length, steps)
  t.equal(journal.lines.at(-1)?.type, 'finished')
  t.same(
    journal.lines.map(entry => entry.seq),
    journal.lines.map((_, at) => at + 1),
  )
})

t.test(
  'a connection lost around any act stops the plan, and resume goes on when the host is back',
  async t => {
    let points = 0
    {
      const {rehearsal, plan} = outage()
      await run(plan, {
        ...rehearsal,
        moment: place => (place.includes(' on ') ? ((points += 1), undefined) : undefined),
      })
    }
    const bad: string[] = []
    const codes = new Map<string, number>()
    for (let n = 1; n <= points; n++) {
      const {rehearsal, world, plan} = outage()
      let count = 0
      const moment: Moment = place => {
        if (!place.includes(' on ')) return undefined
        count += 1
        if (count !== n) return undefined
        world.host(place.split(' on ')[1] ?? '').reachable = false
        return 'lost'
      }
      const outcome = await run(plan, {...rehearsal, moment})
      for (const name of ['a', 'b']) world.host(name).reachable = true
      const code = outcome.kind === 'stopped' ? outcome.code : outcome.outcome
      codes.set(code, (codes.get(code) ?? 0) + 1)
      const resumed = await run(plan, rehearsal)
      if (resumed.kind !== 'finished') bad.push(`${n}: ${resumed.code} ${resumed.why}`)
      else if (!works(world)) bad.push(`${n}: no working leader`)
    }
    t.same(bad, [])
    t.comment(`cut at ${points} of ${points} points: ${JSON.stringify([...codes])}`)
    t.same(
      [...codes.keys()].filter(
        code => !['CONNECTION_LOST', 'STEP_FAILED', 'UNVERIFIED', 'verified'].includes(code),
      ),
      [],
    )
  },
)

t.test(
  'a server started behind our back between barrier and write: no byte is written to it, or after it was seen',
  async t => {
    const places: string[] = []
    {
      const {rehearsal, plan} = outage()
      await run(plan, {
        ...rehearsal,
        moment: place => {
          places.push(place)
          return undefined
        },
      })
    }
    const from = places.findIndex(
      place => place.startsWith('after record done') && place.includes('prove-stopped'),
    )
    const upTo = places.indexOf('before writeFile on b')
    t.ok(from > 0 && upTo > from)
    const bad: string[] = []
    for (let n = from; n <= upTo; n++) {
      const {rehearsal, world, plan} = outage()
      const b = world.host('b')
      let count = -1
      let restarted = ''
      let seenSince = false
      const late: string[] = []
      const moment: Moment = place => {
        count += 1
        if (count === n) {
          b.held = false
          world.start('b')
          restarted = raftOn(world, 'b')
        } else if (count > n && place === 'after proveStopped on b') seenSince = true
        else if (
          seenSince &&
          /^after (writeFile|fence) on a/.test(place) &&
          raftOn(world, 'a').includes('peers.json')
        )
          late.push(place)
        return undefined
      }
      const outcome = await run(plan, {...rehearsal, moment})
      const where = `${n} ${places[n] ?? ''}`
      if (outcome.kind !== 'stopped' || outcome.code !== 'BARRIER_BROKEN')
        bad.push(
          `${where}: ${outcome.kind === 'stopped' ? `${outcome.code} ${outcome.why}` : outcome.outcome}`,
        )
      if (raftOn(world, 'b') !== restarted) bad.push(`${where}: b was written to while it ran`)
      if (late.length > 0) bad.push(`${where}: ${late.join()} after b was seen running`)
    }
    t.same(bad, [])
    t.comment(`started again at ${upTo - from + 1} moments`)
  },
)

t.test(
  'a writing step is preceded by one fresh proof of every server, however many of its conditions ask',
  async t => {
    const {rehearsal, plan} = outage()
    const proofs = new Map<string, number>()
    const before: string[] = []
    const records = plan.phases
      .flatMap(phase => phase.steps)
      .filter(({action}) => action.do === 'write-file' && isExcludedRecord(action.path))
    const aboutRecord = (place: string): boolean => records.some(step => place.endsWith(` ${step.id}`))
    const moment: Moment = place => {
      const proved = /^after proveStopped on (.)/.exec(place)?.[1]
      if (proved !== undefined) proofs.set(proved, (proofs.get(proved) ?? 0) + 1)
      if (place.startsWith('after record done') && place.includes('.a.')) proofs.clear()
      if (
        place.startsWith('before record begin') &&
        /\.a\.(write-file|fence)/.test(place) &&
        !aboutRecord(place)
      )
        before.push(`${proofs.get('a') ?? 0} ${proofs.get('b') ?? 0}`)
      return undefined
    }
    t.match(await run(plan, {...rehearsal, moment}), {kind: 'finished'})
    t.ok(before.length > 0)
    t.same(
      before.filter(counts => counts !== '1 1'),
      [],
    )
  },
)

t.test('two operators at once: the second is refused, and gives back what it had locked', async t => {
  const {rehearsal, world, plan} = outage()
  const before = world.hosts.map(host => host.disk.changes)
  world.host('b').lock = {plan: 'other', by: 'eve@desk'}
  const outcome = stopped(await run(plan, rehearsal))
  t.match(outcome, {code: 'LOCKED', asBefore: true, why: /^b: locked by eve@desk, plan other/})
  t.same(world.host('b').lock, {plan: 'other', by: 'eve@desk'})
  t.equal(world.host('a').lock, undefined)
  t.same(
    world.hosts.map(host => host.disk.changes),
    before,
  )
  world.host('b').lock = {plan: plan.id, by: 'eve@desk'}
  t.match(
    stopped(await run(plan, rehearsal)),
    {code: 'LOCKED'},
    'the same plan in other hands is another run',
  )
  world.host('b').lock = undefined
  t.match(await run(plan, rehearsal), {kind: 'finished'}, 'and goes on when the other is done')
})

t.test(
  'a server declared dead that speaks up while the others are stopped ends the plan unwritten',
  async t => {
    const {rehearsal, world, plan} = outage()
    const dead = plan.hosts.find(host => host.role === 'dead')?.host ?? 'nobody'
    const deadSpeak = [`${dead} was declared dead, and its host answers.`]
    const outcome = stopped(await run(plan, {...rehearsal, deadSpeak}))
    t.match(outcome, {code: 'PLAN_STALE', asBefore: true, why: deadSpeak[0]})
    t.same(outcome.left, {stopped: [], held: [], locked: [], written: [], fenced: []})
    t.notOk(
      plan.phases.some(
        phase => phase.name === 'write' && phase.steps.some(step => outcome.done.includes(step.id)),
      ),
      'no write was begun',
    )
    for (const name of ['a', 'b']) t.ok(world.host(name).running, `${name} runs as before`)
  },
)

t.test(
  'a log that moved between plan and stop: everything is started as it was and a new plan is asked for',
  async t => {
    const {rehearsal, world, plan} = outage()
    const moment: Moment = place => {
      if (place === 'before stop on b')
        appendEntries(world.host('b'), [{index: 10, term: 3, kind: 'put', key: 'k10', value: 'v10'}], 3)
      return undefined
    }
    const outcome = stopped(await run(plan, {...rehearsal, moment}))
    t.match(outcome, {
      code: 'PLAN_STALE',
      asBefore: true,
      why: /^b: its log ends at 10 @ 3; the plan was made for 9 @ 3/,
    })
    t.same(outcome.left, {stopped: [], held: [], locked: [], written: [], fenced: []})
    for (const name of ['a', 'b']) {
      const host = world.host(name)
      t.same(
        [host.running !== undefined, host.held, host.lock],
        [true, false, undefined],
        `${name} is as it was`,
      )
      t.notOk(host.disk.exists(paths.peers))
    }
  },
)

t.test('a term that rose, and nothing else, is no reason to stop', async t => {
  const {rehearsal, world, plan} = outage()
  const b = world.host('b')
  b.disk.set(paths.store, {kind: 'store', entries: raftOf(b).entries, currentTerm: 77})
  t.match(await run(plan, rehearsal), {kind: 'finished', outcome: 'verified'})
})

t.test('a stale log that cannot be put back as it was is a plan stopped part-way, not a refusal', async t => {
  const {rehearsal, world, plan} = outage()
  const moment: Moment = place => {
    if (place === 'before stop on b')
      appendEntries(world.host('b'), [{index: 10, term: 3, kind: 'put', key: 'k10', value: 'v10'}], 3)
    return place === 'before release on a' ? 'lost' : undefined
  }
  const outcome = stopped(await run(plan, {...rehearsal, moment}))
  t.match(outcome, {code: 'STEP_FAILED', asBefore: false, left: {stopped: ['a'], held: ['a'], locked: ['a']}})
})

t.test('a failing step lets the other hosts finish theirs, and the screen gets what is left', async t => {
  const {rehearsal, world, plan} = outage()
  const b = world.host('b').disk
  const copy = b.copy.bind(b)
  b.copy = () => {
    throw new Error('full')
  }
  await t.rejects(run(plan, rehearsal), /full/, 'a fault of ours is not dressed up as one of theirs')
  b.copy = copy
  const there = `/var/backups/quorate/${plan.id}`
  t.ok(world.host('a').disk.exists(there), 'the other host finished its copy')
  const moment: Moment = place => (place === 'before copy on b' ? 'lost' : undefined)
  const outcome = stopped(await run(plan, {...rehearsal, moment}))
  t.match(outcome, {code: 'CONNECTION_LOST', asBefore: false})
  t.same(outcome.left, {stopped: ['a', 'b'], held: ['a', 'b'], locked: ['a', 'b'], written: [], fenced: []})
  t.equal(outcome.at?.action.do, 'copy')
  t.ok(outcome.done.some(id => id.endsWith('a.copy')))
  t.ok(outcome.notDone.every(id => !outcome.done.includes(id)))
  t.match(await run(plan, rehearsal), {kind: 'finished'})
})

t.test('asked to stop, it finishes the step it is at, wherever that is', async t => {
  const {plan} = outage()
  const total = plan.phases.flatMap(phase => phase.steps).length
  for (let after = 0; after < total; after++) {
    const {rehearsal, world, plan, journal} = outage()
    const done = (): number => journal.lines.filter(entry => entry.type === 'done').length
    const outcome = await run(plan, {...rehearsal, stopRequested: () => done() >= after})
    if (outcome.kind === 'finished') continue
    if (outcome.code !== 'STOPPED_BY_OPERATOR') t.fail(`${after}: ${outcome.code}`)
    const begun = journal.lines.filter(entry => entry.type === 'begin').length
    if (begun !== done()) t.fail(`${after}: ${begun - done()} steps in flight`)
    const resumed = await run(plan, rehearsal)
    if (resumed.kind !== 'finished' || !works(world)) t.fail(`${after}: not resumed`)
  }
  t.pass(`${total} places`)
})

t.test('a journal that cannot be written stops everything', async t => {
  const {rehearsal, world, plan, journal} = outage()
  const append = journal.append.bind(journal)
  journal.append = async entry => {
    if (entry.type === 'begin' && entry.step.endsWith('b.write-file')) throw new Error('ENOSPC')
    await append(entry)
  }
  await t.rejects(run(plan, rehearsal), /ENOSPC/)
  t.notOk(world.host('b').disk.exists(paths.peers), 'what is not journaled is not done')
})

t.test('a file deleted unread is noticed, not waited for in vain', async t => {
  const {rehearsal, world, plan} = outage()
  const moment: Moment = place => {
    if (place === 'before start on b') world.host('b').disk.remove(paths.peersInfo)
    return undefined
  }
  const outcome = stopped(await run(plan, {...rehearsal, moment}))
  t.match(outcome, {code: 'STEP_FAILED', why: /b: its peer set is 10\.0\.0\.1:8300, .*10\.0\.0\.5:8300/})
})

t.test('what does not come right in time is unverified, and the hosts are given back', async t => {
  const {rehearsal, world, plan, journal} = outage()
  const moment: Moment = place => {
    if (place.startsWith('before record begin') && place.endsWith('cluster.await'))
      world.host('b').running?.gossip.clear()
    return undefined
  }
  const outcome = stopped(await run(plan, {...rehearsal, moment}))
  t.match(outcome, {code: 'VERIFY_FAILED', why: /alive in serf/})
  t.same(outcome.left.locked, [])
  t.match(journal.lines.at(-1), {type: 'finished', outcome: 'verify-failed'})
})

t.test('a journal that cannot be written stops the plan before the act, and says what was done', async t => {
  for (const [type, act] of [
    ['begin', 'write-file'],
    ['done', 'stop-service'],
  ] as const) {
    const {rehearsal, world, plan, journal} = outage()
    let full = false
    const append = journal.append.bind(journal)
    journal.append = async entry => {
      full ||= entry.type === type && entry.step.includes(`.a.${act}`)
      if (full) throw new QuorateError('JOURNAL_UNUSABLE', 'No space left on device.')
      await append(entry)
    }
    const outcome = stopped(await run(plan, rehearsal))
    t.match(outcome, {code: 'STEP_FAILED', why: 'a: No space left on device.'})
    t.ok(outcome.notDone.some(id => id.includes('.a.write-file')))
    t.notOk(world.host('a').disk.exists(paths.peers), 'no byte without a record of it')
    journal.append = append
    t.match(await run(plan, rehearsal), {kind: 'finished', outcome: 'verified'}, 'with room again it goes on')
    t.ok(works(world))
  }
})

/** Two servers of Consul 0.6 out of five whose first leader commits nothing until it is started again so often. */
function vainLeaders(restarts: number): {
  rehearsal: Rehearsal
  world: World
  plan: Plan
  notes: () => readonly string[]
} {
  const names = ['a', 'b', ...dead]
  const world = new World('0.6.4', names)
  world.seed(names, {a: 9, b: 9, c: 9, d: 9, e: 9})
  for (const name of ['a', 'b']) world.start(name)
  for (const name of dead) world.destroy(name)
  world.pass(20_000)
  const journal = new MemoryJournal()
  const plan = planFor(world, {declaredDead: dead})
  // One stop is the plan's own.
  for (const name of ['a', 'b']) world.host(name).vain = restarts + 1
  const notes = (): readonly string[] =>
    journal.lines.flatMap(line => (line.type === 'done' && line.step.includes('.settle') ? [line.note] : []))
  return {world, plan, notes, rehearsal: {world, journal, events: []}}
}

t.test('Consul 0.6: a leader that cannot commit is started again; a sound one is left alone', async t => {
  const sound = vainLeaders(0)
  t.match(await run(sound.plan, sound.rehearsal), {kind: 'finished', outcome: 'verified'})
  t.notMatch(sound.notes().join('\n'), /started again/)
  t.equal(sound.notes().length, 2)
  const vain = vainLeaders(1)
  t.match(await run(vain.plan, vain.rehearsal), {kind: 'finished', outcome: 'verified'})
  t.match(vain.notes().join('\n'), /committed to its end, after it led in vain and was started again once/)
  t.same(
    ['a', 'b'].filter(name => vain.world.host(name).held),
    [],
  )
})

t.test(
  'Consul 0.6: a run killed while it starts a vain leader again leaves nothing held once resumed',
  async t => {
    for (const act of ['hold', 'stop', 'release', 'start']) {
      const {world, plan, rehearsal} = vainLeaders(1)
      let settling = false
      const moment: Moment = place => {
        if (place.includes('begin') && place.includes('.settle')) settling = true
        if (!settling || !place.startsWith(`after ${act} on`)) return undefined
        throw new Killed(place)
      }
      t.ok(await dies(run(plan, {...rehearsal, moment})), `killed after ${act}`)
      world.killed = false
      t.match(await run(plan, rehearsal), {kind: 'finished', outcome: 'verified'}, `after ${act}`)
      t.same(
        ['a', 'b'].filter(name => world.host(name).held || world.host(name).running === undefined),
        [],
      )
    }
  },
)
