import {execFileSync, spawnSync} from 'node:child_process'
import {readFileSync, readdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import t from 'tap'
import {parseInventory} from '../../src/adapters/inventory-file.js'
import {renderManual} from '../../src/docs/render-manual.js'
import {declaredCommands} from '../helpers/commands.js'
import {requireProgram} from '../helpers/sshd.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const manDir = join(root, 'man')
const byHand = ['quorate-glossary.7', 'quorate-inventory.7', 'quorate-recovery.7']
const present = readdirSync(manDir)

t.test('every generated page is what commands and catalogues say now', async t => {
  const {version} = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {version: string}
  const declared = await declaredCommands()
  const pages = renderManual({
    version,
    commands: Object.fromEntries(declared.map(({id, manual}) => [id, manual])),
  })
  t.same(
    [...present].sort(),
    [...Object.keys(pages), ...byHand].sort(),
    'no page is missing and none is left over',
  )
  for (const [name, text] of Object.entries(pages)) {
    if (process.env['QUORATE_REWRITE'] === '1') writeFileSync(join(manDir, name), text)
    t.equal(readFileSync(join(manDir, name), 'utf8'), text, `${name}: npm run man writes it again`)
  }
})

t.test('groff reads every page without a warning', async t => {
  const groff = requireProgram('/usr/bin/groff', 'groff')
  for (const name of present) {
    const {status, stdout, stderr} = spawnSync(groff, ['-man', '-ww', '-z', join(manDir, name)], {
      encoding: 'utf8',
    })
    t.same({status, stdout, stderr}, {status: 0, stdout: '', stderr: ''}, name)
  }
})

t.test('pages refer only to pages that there are', async t => {
  for (const name of present) {
    const text = readFileSync(join(manDir, name), 'utf8')
      .replaceAll('\\-', '-')
      .replaceAll(/\\f[BIR]/g, '')
    for (const [, page, section] of text.matchAll(/(quorate(?:-[a-z]+)*) ?\((\d)\)/g))
      t.ok(present.includes(`${page}.${section}`), `${name} refers to ${page}(${section})`)
  }
})

t.test('the inventory that the manual shows is one that is read', async t => {
  const page = readFileSync(join(manDir, 'quorate-inventory.7'), 'utf8')
  const shown = /\n\.nf\n([\s\S]+?)\n\.fi\n/.exec(page)?.[1]?.replaceAll('\\-', '-') ?? ''
  const inventory = await parseInventory(shown, '/home/ops/quorate.yaml')
  t.match(inventory.clusters, [{name: 'prod', hosts: [{name: 'server1'}, {settings: {port: 2222}}]}])
})

t.test('signs that roff would obey come out as they went in', async t => {
  const pages = renderManual({
    version: '1',
    commands: {
      odd: {
        id: 'odd',
        summary: ".starts with a dot, 'quotes' and a back\\slash.",
        description: '.TH is no command here. Type `odd -x`.\n\n\'single\' ~ ^ "double"',
        examples: ["<%= config.bin %> odd 'a b' ~/x\n.second line"],
        flags: {x: {name: 'x', char: 'x', type: 'option', summary: '.dot \\fB', default: 3, multiple: true}},
        args: {},
      },
    },
  })
  const shown = execFileSync(
    requireProgram('/usr/bin/groff', 'groff'),
    ['-man', '-Tutf8', '-P-cbou', '-ww'],
    {
      input: pages['quorate-odd.1'] ?? '',
      encoding: 'utf8',
    },
  )
  for (const expected of [
    "quorate-odd - .starts with a dot, 'quotes' and a back\\slash",
    '.TH is no command here. Type odd -x.',
    '\'single\' ~ ^ "double"',
    "quorate odd 'a b' ~/x",
    '.second line',
    '-x, --x N',
    '.dot \\fB May be repeated. Default 3.',
  ])
    t.ok(shown.includes(expected), expected)
})
