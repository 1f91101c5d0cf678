import {mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {fileURLToPath, pathToFileURL} from 'node:url'
import ts from 'typescript'
import {readConfigurationEntry} from '../../src/core/raft/configuration-entry.js'
import {RaftNode} from '../../src/core/raft/node.js'
import type {Core} from './server.js'

/** One change of the core's source that breaks a rule: the text is replaced where it stands, which is exactly once. */
export interface Change {
  /** Path below src/core. */
  readonly file: string
  readonly from: string
  readonly to: string
}

const root = fileURLToPath(new URL('../../src/core/', import.meta.url))

/** The core as it is. */
export const realCore: Core = {
  RaftNode,
  configurationOf: entry => readConfigurationEntry(entry.type, entry.data),
}

/** The core with faults planted in its source, compiled into a directory of its own. */
export async function brokenCore(changes: readonly Change[], dir: string): Promise<Core> {
  const done = new Set<string>()
  const queue = [join(root, 'raft/node.ts')]
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (done.has(path)) continue
    done.add(path)
    const name = path.slice(root.length)
    const source = changes.filter(change => change.file === name).reduce(changed, readFileSync(path, 'utf8'))
    for (const [, target] of source.matchAll(/from '(\.[^']+)\.js'/g))
      queue.push(`${join(dirname(path), target as string)}.ts`)
    const out = join(dir, name.replace(/\.ts$/, '.js'))
    mkdirSync(dirname(out), {recursive: true})
    const options = {target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext}
    writeFileSync(out, ts.transpileModule(source, {compilerOptions: options}).outputText)
  }
  const missing = changes.find(change => !done.has(join(root, change.file)))
  if (missing !== undefined) throw new Error(`the core does not use ${missing.file}`)
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}')
  const module = (await import(pathToFileURL(join(dir, 'raft/node.js')).href)) as Pick<Core, 'RaftNode'>
  return {...realCore, RaftNode: module.RaftNode}
}

function changed(source: string, {file, from, to}: Change): string {
  const parts = source.split(from)
  if (parts.length !== 2)
    throw new Error(
      `${file}: '${from}' stands there ${parts.length - 1} times, not once; plant the fault anew`,
    )
  return parts.join(to)
}
