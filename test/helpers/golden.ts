import {mkdirSync, readFileSync, writeFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {fileURLToPath} from 'node:url'
import type {Test} from 'tap'

const rewrite = process.env['QUORATE_REWRITE'] === '1'
const goldenDir = fileURLToPath(new URL('../../fixtures/golden/', import.meta.url))

/**
 * Compares a screen with `fixtures/golden/<name>`. With QUORATE_REWRITE=1 the file is written instead: commit a
 * rewrite only when you understand what caused it.
 */
export function matchesGolden(t: Test, got: string, name: string): void {
  const path = join(goldenDir, name)
  if (rewrite) {
    mkdirSync(dirname(path), {recursive: true})
    writeFileSync(path, got)
    t.pass(`rewrote ${name}`)
    return
  }
  let want: string
  try {
    want = readFileSync(path, 'utf8')
  } catch {
    want = ''
  }
  t.equal(got, want, `looks like ${name}`)
}
