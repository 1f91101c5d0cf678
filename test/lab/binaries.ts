import {createHash} from 'node:crypto'
import {copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, statSync} from 'node:fs'
import {join} from 'node:path'
import {referenceBinary} from '../reference/loopback.js'

/** A server program for a lab: the reference server, or a real Consul. */
export interface ServerBinary {
  readonly kind: 'reference' | 'consul'
  readonly version: string
  readonly path: string
}

/** The reference server, built when needed. */
export async function reference(): Promise<ServerBinary> {
  return {kind: 'reference', version: '1.8.99', path: await referenceBinary()}
}

/** Real Consul binaries, oldest first: files named `consul-VERSION` in the directory QUORATE_CONSUL_BIN_DIR. */
export function realConsuls(): readonly ServerBinary[] {
  const dir = process.env['QUORATE_CONSUL_BIN_DIR']
  if (dir === undefined || dir === '') return []
  const found = readdirSync(dir).flatMap(name => {
    const version = /^consul-(\d+\.\d+\.\d+)$/.exec(name)?.[1]
    return version === undefined ? [] : [{kind: 'consul' as const, version, path: join(dir, name)}]
  })
  return found.sort((a, b) => a.version.localeCompare(b.version, 'en', {numeric: true}))
}

/** Whether a version is at least another, both `major.minor.patch`. */
export function atLeast(version: string, other: string): boolean {
  return version.localeCompare(other, 'en', {numeric: true}) >= 0
}

/** The disk layer that holds the binary as /usr/local/bin/consul, made once for each binary. */
export function binaryLayer(dir: string, binary: ServerBinary): string {
  const {size, mtimeMs} = statSync(binary.path)
  const key = createHash('sha256')
    .update(`${binary.path} ${String(size)} ${String(mtimeMs)}`)
    .digest('hex')
  const layer = join(dir, 'layers', key.slice(0, 16))
  const target = join(layer, 'usr', 'local', 'bin')
  if (!existsSync(join(target, 'consul'))) {
    mkdirSync(target, {recursive: true})
    const draft = join(target, `.consul.${String(process.pid)}`)
    copyFileSync(binary.path, draft)
    renameSync(draft, join(target, 'consul'))
  }
  return layer
}
