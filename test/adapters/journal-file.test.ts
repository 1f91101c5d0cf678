import {spawn} from 'node:child_process'
import {appendFileSync, mkdirSync, readFileSync, statSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import t from 'tap'
import {JournalFile, journalDirectory} from '../../src/adapters/journal-file.js'
import type {JournalEntry} from '../../src/core/model/journal.js'
import {replay} from '../../src/core/model/journal.js'

const begin = (seq: number, step = `s${seq}`): JournalEntry => ({
  type: 'begin',
  seq,
  atMs: seq,
  plan: 'p1',
  step,
  host: 'h',
})

void t.test('a journal directory follows XDG_STATE_HOME and ignores a relative one', async t => {
  t.equal(journalDirectory({XDG_STATE_HOME: '/var/state'}), '/var/state/quorate/journal')
  t.match(journalDirectory({XDG_STATE_HOME: 'state'}), /^\/.*\.local\/state\/quorate\/journal$/)
})

void t.test('entries come back in the order they were appended, whatever ran in parallel', async t => {
  const store = new JournalFile(join(t.testdir(), 'a', 'journal'))
  t.teardown(async () => await store.close())
  await Promise.all([1, 2, 3, 4, 5].map(async seq => await store.append(begin(seq))))
  t.same(
    (await store.entries('p1')).map(entry => entry.seq),
    [1, 2, 3, 4, 5],
  )
})

void t.test('journals are private: directory 0700, files 0600', async t => {
  const directory = join(t.testdir(), 'state', 'journal')
  const store = new JournalFile(directory)
  t.teardown(async () => await store.close())
  await store.append(begin(1))
  t.equal(statSync(directory).mode & 0o777, 0o700)
  t.equal(statSync(join(directory, 'p1.jsonl')).mode & 0o777, 0o600)
})

void t.test(
  'a torn last line is dropped, at every length, and the next append does not share its line',
  async t => {
    const directory = t.testdir()
    const line = JSON.stringify(begin(2))
    for (let length = 0; length <= line.length; length++) {
      writeFileSync(join(directory, 'p1.jsonl'), `${JSON.stringify(begin(1))}\n${line.slice(0, length)}`)
      const store = new JournalFile(directory)
      if ((await store.entries('p1')).length !== 1) t.fail(`torn at ${length}: not dropped`)
      await store.append(begin(3))
      const seqs = (await store.entries('p1')).map(entry => entry.seq)
      if (seqs.join() !== '1,3') t.fail(`torn at ${length}: then ${seqs.join()}`)
      await store.close()
    }
    t.pass(`${line.length + 1} lengths`)
  },
)

void t.test('a whole line that is no entry is refused with its file and number', async t => {
  const directory = t.testdir()
  appendFileSync(join(directory, 'p1.jsonl'), `${JSON.stringify(begin(1))}\n{"type":"begun"}\n`)
  await t.rejects(new JournalFile(directory).entries('p1'), {
    code: 'PLAN_UNREADABLE',
    message: /Line 2 .*p1\.jsonl/,
  })
})

void t.test('ids that could leave the directory name no journal', async t => {
  const directory = join(t.testdir(), 'journal')
  mkdirSync(directory)
  const store = new JournalFile(directory)
  t.same(await store.entries('../p1'), [])
  t.equal(await store.loadPlan('../../etc/passwd'), undefined)
  await t.rejects(store.append({...begin(1), plan: '../x'}))
})

void t.test('one process at a time holds a plan; a dead holder is no holder', async t => {
  const directory = t.testdir()
  const store = new JournalFile(directory)
  const first = await store.lock('p1')
  if (!('release' in first)) return t.fail('not taken')
  const second = await store.lock('p1')
  t.match(second, {heldBy: `process ${process.pid}`})
  t.ok('release' in (await store.lock('p2')), 'another plan is another lock')
  await first.release()
  const again = await store.lock('p1')
  t.ok('release' in again)

  const held = readFileSync(join(directory, 'p1.lock'), 'utf8')
  writeFileSync(join(directory, 'p1.lock'), held.replace(/^\d+ \d+/, `${process.pid} 1`))
  t.ok('release' in (await store.lock('p1')), 'a reused pid has another start time')
  const gone = spawn('true')
  await new Promise(resolve => gone.on('exit', resolve))
  writeFileSync(join(directory, 'p1.lock'), held.replace(/^\d+ \d+/, `${gone.pid ?? 0} 77`))
  t.ok('release' in (await store.lock('p1')), 'its process is gone')
  return undefined
})

void t.test(
  'a disk that is full refuses by name, and the torn line takes no later entry with it',
  async t => {
    const script = fileURLToPath(new URL('../helpers/append-until-full.ts', import.meta.url))
    const directory = t.testdir({})
    const child = spawn(process.execPath, [...process.execArgv, script, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    for await (const chunk of child.stdout) said += String(chunk)
    const [code, acknowledged] = said.trim().split(' ')
    t.equal(code, 'JOURNAL_UNUSABLE')
    const entries = await new JournalFile(directory).entries('p1')
    const upTo = Array.from({length: Number(acknowledged)}, (_, at) => at + 1)
    t.same(
      entries.map(entry => entry.seq),
      [...upTo, 100],
    )
  },
)

void t.test('what was acknowledged survives a SIGKILL at any moment', async t => {
  const script = fileURLToPath(new URL('../helpers/append-for-ever.ts', import.meta.url))
  for (const acks of [1, 2, 7, 20]) {
    const directory = t.testdir({})
    const child = spawn(process.execPath, [...process.execArgv, script, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {...process.env},
    })
    let seen = ''
    const exited = new Promise(resolve => child.on('exit', resolve))
    for await (const chunk of child.stdout) {
      seen += String(chunk)
      if (seen.split('\n').length > acks) child.kill('SIGKILL')
    }
    await exited
    const acknowledged = seen.split('\n').slice(0, -1).map(Number)
    const store = new JournalFile(directory)
    const entries = await store.entries('p1')
    const held = new Set(entries.map(entry => entry.seq))
    t.ok(
      acknowledged.every(seq => held.has(seq)),
      `${acknowledged.length} acknowledged, ${entries.length} on disk`,
    )
    t.ok(entries.length - acknowledged.length <= 64, 'and no more than were in flight')
    t.same(replay(entries).inFlight.size, entries.length)
    const lock = await store.lock('p1')
    t.ok('release' in lock, 'its lock died with it')
    await store.append(begin(entries.length + 1000))
    t.equal((await store.entries('p1')).length, entries.length + 1)
    await store.close()
  }
})
