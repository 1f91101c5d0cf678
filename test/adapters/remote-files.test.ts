import {execFileSync} from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import {
  acquireLock,
  copyTree,
  lockScope,
  moveAside,
  parseStat,
  readLock,
  releaseLock,
  restoreTree,
  sha256Hex,
  sha256OfFile,
  statFile,
  writeFileAtomic,
} from '../../src/adapters/remote-files.js'
import {WRITE_FILE} from '../../src/adapters/remote-file-scripts.js'
import {connectHere} from '../helpers/here.js'
import {makeKeyDir} from '../helpers/sshd.js'

const root = makeKeyDir()
const connection = await connectHere()
t.teardown(() => rmSync(root, {recursive: true, force: true}))
let count = 0
/** A directory with a name that a careless script would trip over. */
const fresh = (): string => {
  const dir = join(root, `it's $(a) dir\n${++count}`)
  mkdirSync(dir, {mode: 0o755})
  return dir
}
const bytes = new TextEncoder().encode('[\n  "10.0.0.1:8300"\n]\n')
const digest = sha256Hex(bytes)

t.test('a file is written whole with owner and mode, and the second time it was so already', async t => {
  const path = join(fresh(), 'peers.json')
  const file = {path, bytes, mode: 0o640, uid: 12_345, gid: 54_321, replaces: undefined}
  t.match(await writeFileAtomic(connection, file), {ok: true, already: false})
  t.equal(readFileSync(path, 'utf8'), '[\n  "10.0.0.1:8300"\n]\n')
  const stat = statSync(path)
  t.strictSame([stat.mode & 0o7777, stat.uid, stat.gid], [0o640, 12_345, 54_321])
  chmodSync(path, 0o600)
  t.match(await writeFileAtomic(connection, file), {ok: true, already: true})
  t.equal(statSync(path).mode & 0o7777, 0o640)
  t.strictSame(readdirSync(join(path, '..')), ['peers.json'], 'nothing is left beside it')
})

t.test('our own directory is made where it is missing; one of the server is not', async t => {
  const script = `unshare -m sh -c 'mount -t tmpfs none /var/lib && sh -c "$1" sh "$2" 0644 0:0 "$3" "" "" &&
    stat -c "%a %u %n" /var/lib/quorate /var/lib/quorate/excluded-p1' sh "$1" "$2" "$3"`
  const write = (path: string) =>
    execFileSync('sh', ['-c', script, 'sh', WRITE_FILE, path, digest], {input: bytes, encoding: 'utf8'})
  t.equal(
    write('/var/lib/quorate/excluded-p1'),
    '755 0 /var/lib/quorate\n644 0 /var/lib/quorate/excluded-p1\n',
  )
  t.throws(() => write('/var/lib/consul/peers.json'))
  const path = join(fresh(), 'raft', 'peers.json')
  const file = {path, bytes, mode: 0o640, uid: 0, gid: 0, replaces: undefined}
  t.match(await writeFileAtomic(connection, file), {ok: false, failure: 'failed'})
})

t.test('a file that is not what the plan saw is not replaced', async t => {
  const path = join(fresh(), 'peers.json')
  writeFileSync(path, 'other')
  const file = {path, bytes, mode: 0o600, uid: 0, gid: 0, replaces: undefined}
  t.match(await writeFileAtomic(connection, file), {ok: false, failure: 'changed'})
  const wrong = {...file, replaces: sha256Hex(bytes.subarray(1))}
  t.match(await writeFileAtomic(connection, wrong), {ok: false, failure: 'changed'})
  t.equal(readFileSync(path, 'utf8'), 'other')
  const right = {...file, replaces: sha256Hex(new TextEncoder().encode('other'))}
  t.match(await writeFileAtomic(connection, right), {ok: true, already: false})
  const link = join(fresh(), 'link')
  symlinkSync(path, link)
  t.match(await writeFileAtomic(connection, {...file, path: link}), {ok: false, failure: 'changed'})
  t.ok(lstatSync(link).isSymbolicLink())
})

t.test('a guard that fails right before the rename lets no byte through', async t => {
  const path = join(fresh(), 'peers.json')
  const guard = {script: 'echo "pid $1 runs"; exit 1', args: ['4711']}
  const file = {path, bytes, mode: 0o600, uid: 0, gid: 0, replaces: undefined, guard}
  t.match(await writeFileAtomic(connection, file), {ok: false, failure: 'barrier', note: /pid 4711 runs/})
  t.strictSame(readdirSync(join(path, '..')), [])
  const passing = {script: '[ "$1" = "a b" ]', args: ['a b']}
  t.match(await writeFileAtomic(connection, {...file, guard: passing}), {ok: true})
  t.match(await moveAside(connection, path, `${path}.x`, guard), {ok: false, failure: 'barrier'})
  t.ok(existsSync(path))
})

t.test('bytes that do not arrive whole are never given the name', async t => {
  const path = join(fresh(), 'peers.json')
  const cut = {
    ...connection,
    run: async (command: Parameters<typeof connection.run>[0]) =>
      connection.run({...command, stdin: (command.stdin ?? new Uint8Array()).subarray(0, 5)}),
  }
  const file = {path, bytes, mode: 0o600, uid: 0, gid: 0, replaces: undefined}
  t.match(await writeFileAtomic(cut, file), {ok: false, failure: 'failed', note: /whole/})
  t.strictSame(readdirSync(join(path, '..')), [])
})

t.test('what a killed run left behind is no obstacle', async t => {
  const path = join(fresh(), 'peers.json')
  writeFileSync(join(path, '..', '.peers.json.quorate-new'), 'half')
  const file = {path, bytes, mode: 0o600, uid: 0, gid: 0, replaces: undefined}
  t.match(await writeFileAtomic(connection, file), {ok: true, already: false})
})

t.test('a directory is moved once, over nothing, and twice is once', async t => {
  const dir = fresh()
  const [from, to] = [join(dir, 'raft'), join(dir, 'aside', 'raft')]
  mkdirSync(from)
  writeFileSync(join(from, 'raft.db'), 'x')
  t.match(await moveAside(connection, from, to), {ok: true, already: false})
  t.match(await moveAside(connection, from, to), {ok: true, already: true})
  mkdirSync(from)
  t.match(await moveAside(connection, from, to), {ok: false, failure: 'changed'})
  t.strictSame(readdirSync(to), ['raft.db'], 'nothing was moved into it')
  t.match(await moveAside(connection, join(dir, 'none'), join(dir, 'none2')), {ok: false, failure: 'changed'})
})

t.test('a move across file systems is refused, because it would be a copy', async t => {
  const dir = fresh()
  const far = `/dev/shm/quorate-test-${process.pid}`
  mkdirSync(far)
  t.teardown(() => rmSync(far, {recursive: true, force: true}))
  writeFileSync(join(dir, 'f'), 'x')
  t.match(await moveAside(connection, join(dir, 'f'), join(far, 'f')), {ok: false, note: /one file system/})
  t.ok(existsSync(join(dir, 'f')))
})

function makeData(dir: string): readonly string[] {
  const raft = join(dir, 'data', 'raft')
  mkdirSync(join(raft, 'snapshots', '1-2-3'), {recursive: true})
  writeFileSync(join(raft, 'raft.db'), 'log'.repeat(10_000))
  writeFileSync(join(raft, 'snapshots', '1-2-3', 'meta.json'), '{}')
  writeFileSync(join(raft, "odd\nname's"), 'odd')
  chownSync(join(raft, 'raft.db'), 12_345, 54_321)
  chmodSync(join(raft, 'raft.db'), 0o600)
  writeFileSync(join(dir, 'data', 'node-id'), 'id')
  return [raft, join(dir, 'data', 'node-id'), join(dir, 'data', 'absent')]
}

t.test('a copy is whole, keeps owners and is checked when made again', async t => {
  const dir = fresh()
  const paths = makeData(dir)
  const to = join(dir, 'copies', 'p1')
  t.match(await copyTree(connection, paths, to, 1), {ok: true, already: false})
  const copied = statSync(join(to, 'tree', paths[0] ?? '', 'raft.db'))
  t.strictSame([copied.uid, copied.gid, copied.mode & 0o7777], [12_345, 54_321, 0o600])
  t.equal(statSync(to).mode & 0o7777, 0o700)
  t.match(await copyTree(connection, paths, to, 1), {ok: true, already: true})
  writeFileSync(join(to, 'tree', paths[1] ?? ''), 'ie')
  t.match(await copyTree(connection, paths, to, 1), {ok: false, failure: 'changed', note: /damaged/})
  t.match(await restoreTree(connection, to, paths), {ok: false, note: /damaged/})
})

t.test('a copy goes into no directory of somebody else and needs its room', async t => {
  const dir = fresh()
  const paths = makeData(dir)
  const to = join(dir, 'copies')
  mkdirSync(to)
  t.match(await copyTree(connection, paths, to, 1), {ok: false, failure: 'changed'})
  t.match(await copyTree(connection, paths, join(dir, 'p2'), 1e15), {ok: false, failure: 'no-space'})
  t.notOk(existsSync(join(dir, 'p2')))
  mkdirSync(join(dir, 'p3.unfinished'))
  writeFileSync(join(dir, 'p3.unfinished', 'half'), '')
  t.match(await copyTree(connection, paths, join(dir, 'p3'), 1), {ok: true, already: false})
  t.notOk(existsSync(join(dir, 'p3', 'half')), 'what a killed run left is not taken for a copy')
})

t.test('what was copied comes back as it was, and what was there since is kept aside', async t => {
  const dir = fresh()
  const paths = makeData(dir)
  const to = join(dir, 'copies', 'p1')
  await copyTree(connection, paths, to, 1)
  t.match(await restoreTree(connection, to, paths), {ok: true, already: true}, 'nothing changed yet')
  writeFileSync(join(paths[0] ?? '', 'raft.db'), 'new log')
  writeFileSync(paths[2] ?? '', 'was absent before')
  rmSync(paths[1] ?? '')
  t.match(await restoreTree(connection, to, paths), {ok: true, already: false})
  const stat = statSync(join(paths[0] ?? '', 'raft.db'))
  t.strictSame([stat.uid, stat.gid, stat.size], [12_345, 54_321, 30_000])
  t.equal(readFileSync(paths[1] ?? '', 'utf8'), 'id')
  t.notOk(existsSync(paths[2] ?? ''))
  t.equal(readFileSync(join(`${paths[0]}.quorate-aside-1`, 'raft.db'), 'utf8'), 'new log')
  t.match(await restoreTree(connection, to, paths), {ok: true, already: true})
})

t.test('what a link leads to is copied and comes back: a linked raft directory is no empty copy', async t => {
  const dir = fresh()
  const [raft] = makeData(dir)
  const link = join(dir, 'linked')
  symlinkSync(raft ?? '', link)
  mkdirSync(join(dir, 'inner'))
  symlinkSync(join(raft ?? '', 'raft.db'), join(dir, 'inner', 'raft.db'))
  const paths = [link, join(dir, 'inner')]
  const to = join(dir, 'copies', 'p1')
  t.match(await copyTree(connection, paths, to, 1), {ok: true, already: false})
  for (const path of paths) {
    const copied = lstatSync(join(to, 'tree', path, 'raft.db'))
    t.strictSame([copied.isFile(), copied.uid, copied.size], [true, 12_345, 30_000], path)
  }
  writeFileSync(join(raft ?? '', 'raft.db'), 'recovered log')
  t.match(await restoreTree(connection, to, paths), {ok: true, already: false})
  t.equal(statSync(join(link, 'raft.db')).size, 30_000)
  t.ok(lstatSync(`${link}.quorate-aside-1`).isSymbolicLink(), 'the link is kept aside')
  t.match(await moveAside(connection, `${link}.quorate-aside-1`, `${link}.fenced-p1`), {ok: true})
})

t.test('nothing is put back once the guard fails, however long the copy took', async t => {
  const dir = fresh()
  const paths = makeData(dir)
  const to = join(dir, 'copies', 'p1')
  await copyTree(connection, paths, to, 1)
  writeFileSync(join(paths[0] ?? '', 'raft.db'), 'of a server that runs again')
  const guard = {script: 'echo "process $1 runs the server"; exit 73', args: ['4711']}
  t.match(await restoreTree(connection, to, paths, guard), {
    ok: false,
    failure: 'barrier',
    note: 'process 4711 runs the server',
  })
  t.equal(readFileSync(join(paths[0] ?? '', 'raft.db'), 'utf8'), 'of a server that runs again')
  t.notOk(existsSync(`${paths[0]}.quorate-aside-1`))
})

t.test('files are asked about without being changed', async t => {
  const dir = fresh()
  const path = join(dir, 'f')
  t.strictSame(await sha256OfFile(connection, path), {ok: true, value: undefined})
  t.strictSame(await statFile(connection, path), {ok: true, value: undefined})
  writeFileSync(path, bytes)
  chmodSync(path, 0o4751)
  chownSync(path, 1, 2)
  chmodSync(path, 0o4751)
  t.strictSame(await sha256OfFile(connection, path), {ok: true, value: digest})
  t.strictSame(await statFile(connection, path), {
    ok: true,
    value: {kind: 'file', mode: 0o4751, uid: 1, gid: 2, sizeBytes: bytes.length},
  })
  t.match(await statFile(connection, dir), {ok: true, value: {kind: 'directory'}})
  t.match(
    await writeFileAtomic(connection, {
      path: 'relative',
      bytes,
      mode: 0o600,
      uid: 0,
      gid: 0,
      replaces: undefined,
    }),
    {ok: false},
  )
  t.match(await moveAside(connection, `${dir}/a/../b`, `${dir}/c`), {ok: false})
})

t.test('a lock is one run at a time, per server, and survives being asked twice', async t => {
  const scope = lockScope(fresh())
  const mine = {plan: 'plan-1', by: 'me@laptop'}
  t.strictSame(await readLock(connection, scope), {ok: true, value: undefined})
  t.match(await acquireLock(connection, scope, mine), {ok: true, already: false})
  t.match(await acquireLock(connection, scope, mine), {ok: true, already: true})
  const other = {plan: 'plan-2', by: "it's\nyou"}
  t.match(await acquireLock(connection, scope, other), {
    ok: false,
    failure: 'locked',
    note: /plan-1 by me@laptop/,
  })
  t.match(await acquireLock(connection, lockScope('/elsewhere'), other), {ok: true})
  t.match(await releaseLock(connection, lockScope('/elsewhere'), 'plan-2'), {ok: true, already: false})
  t.match(await releaseLock(connection, scope, 'plan-2'), {ok: false, failure: 'locked'})
  t.strictSame(await readLock(connection, scope), {ok: true, value: mine})
  t.match(await releaseLock(connection, scope, 'plan-1'), {ok: true, already: false})
  t.match(await releaseLock(connection, scope, 'plan-1'), {ok: true, already: true})
})

t.test('of two operators at once exactly one gets the lock', async t => {
  const scope = lockScope(fresh())
  const plans = Array.from({length: 8}, (_, i) => `race-${i}`)
  const results = await Promise.all(plans.map(async plan => acquireLock(connection, scope, {plan, by: 'x'})))
  t.equal(results.filter(one => one.ok).length, 1)
  const winner = plans[results.findIndex(one => one.ok)] ?? ''
  t.match(await releaseLock(connection, scope, winner), {ok: true})
})

t.test('modes of ls are read bit by bit', async t => {
  t.match(parseStat('-rwsr-Sr-T. 0 0 5'), {kind: 'file', mode: 0o7744})
  t.match(parseStat('drwxrwxrwt+ 1 2 3'), {kind: 'directory', mode: 0o1777})
  t.match(parseStat('srw------- 1 2 0'), {kind: 'other', mode: 0o600})
  t.equal(parseStat('nonsense'), undefined)
})
