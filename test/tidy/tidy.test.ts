// The repository checks itself: what lint cannot see. Run by `npm run check` and by `npm test`.
import {execFileSync} from 'node:child_process'
import {existsSync, readFileSync} from 'node:fs'
import {dirname, join, relative, resolve} from 'node:path'
import {fileURLToPath} from 'node:url'
import t from 'tap'
import {ERRORS} from '../../src/errors.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {cwd: root, encoding: 'utf8'})
  .split('\n')
  .filter(name => name !== '' && existsSync(join(root, name)))
const sources = files.filter(name => /^(src|commands)\/.*\.ts$/.test(name))
const tests = files.filter(name => /^test\/.*\.ts$/.test(name))
const text = (name: string): string => readFileSync(join(root, name), 'utf8')

t.test('the top of the tree holds what its user fixed, and no more', async t => {
  const allowed = new Set([
    '.ci',
    '.gitignore',
    'ARCHITECTURE.md',
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'commands',
    'fixtures',
    'man',
    'package-lock.json',
    'package.json',
    'src',
    'test',
    'tsconfig.json',
  ])
  t.same(
    [...new Set(files.map(name => name.split('/')[0] ?? ''))].filter(name => !allowed.has(name)),
    [],
  )
})

t.test('no source file is longer than 450 lines and no line than 140 columns', async t => {
  for (const name of sources) {
    const lines = text(name).split('\n')
    if (lines.length > 450) t.fail(`${name} has ${lines.length} lines`)
  }
  t.ok(sources.length > 0)
})

t.test('modules do not import in circles', async t => {
  const edges = new Map<string, string[]>()
  for (const name of sources) {
    const targets: string[] = []
    for (const match of text(name).matchAll(/^(?:import|export)\s(?!type\b)[^'"]*from\s+'(\.[^']+)'/gm)) {
      targets.push(relative(root, resolve(root, dirname(name), match[1] ?? '')).replace(/\.js$/, '.ts'))
    }
    edges.set(name, targets)
  }
  const state = new Map<string, 'open' | 'closed'>()
  const circles: string[] = []
  const visit = (name: string, path: readonly string[]): void => {
    if (state.get(name) === 'closed') return
    if (state.get(name) === 'open') {
      circles.push([...path.slice(path.indexOf(name)), name].join(' -> '))
      return
    }
    state.set(name, 'open')
    for (const target of edges.get(name) ?? []) visit(target, [...path, name])
    state.set(name, 'closed')
  }
  for (const name of edges.keys()) visit(name, [])
  t.same(circles, [])
})

t.test('nothing is left unfinished, switched off or printed past the views', async t => {
  for (const name of [...sources, ...tests]) {
    if (name === 'test/tidy/tidy.test.ts') continue
    const body = text(name)
    t.notMatch(body, /\b(TODO|FIXME|XXX)\b/, name)
    t.notMatch(body, /\bt\.only\(|test\.only\(|\.todo\(/, name)
    t.notMatch(body, /\bconsole\.(log|error|warn)\(/, name)
  }
})

t.test('every error code of the catalogue is raised somewhere, and only those', async t => {
  const body = sources
    .filter(name => name !== 'src/errors.ts')
    .map(text)
    .join('\n')
  for (const code of Object.keys(ERRORS)) t.ok(body.includes(`'${code}'`), `${code} is raised`)
})

/** The text of a file without its comments, in which names are mentioned and not used. */
const code = (name: string): string => text(name).replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')

t.test('what the sources export is used by the sources, not by tests alone', async t => {
  const bodies = new Map(sources.map(name => [name, code(name)]))
  // oclif and the bundle of pages start these by their path
  const entries = /^(commands\/|src\/(hooks|docs)\/|src\/help\.ts$)/
  const unused = [...bodies].flatMap(([name, body]) => {
    if (entries.test(name)) return []
    // Two files may export the same word, so that a user must import it from this one
    const from = `/${name.slice(name.lastIndexOf('/') + 1, -'.ts'.length)}.js'`
    const exported = [
      ...body.matchAll(/^export (?:async )?(?:function\*?|const|class|interface|type) (\w+)/gm),
    ].map(match => match[1] ?? '')
    return exported
      .filter(word => {
        const mention = new RegExp(`\\b${word}\\b`, 'g')
        const here = body.match(mention)?.length ?? 0
        const users = [...bodies.values()].filter(its => its.includes(from) && its.match(mention) !== null)
        return here < 2 && users.length === 0
      })
      .map(word => `${name}: ${word}`)
  })
  t.same(unused, [])
})

t.test('every exported name of the core and the ports has a doc comment', async t => {
  for (const name of sources.filter(one => /^src\/(core|ports)\//.test(one))) {
    const lines = text(name).split('\n')
    lines.forEach((line, index) => {
      if (!/^export (async )?(function|const|class)\b/.test(line)) return
      const before = lines[index - 1] ?? ''
      if (!/\*\/\s*$/.test(before)) t.fail(`${name}:${index + 1} has no doc comment: ${line.slice(0, 60)}`)
    })
  }
  t.pass('checked')
})
