import {readFileSync} from 'node:fs'
import t from 'tap'
import {livePeers, recoveryPeers} from '../../../src/core/codec/peers-as-read.js'

interface Variant {
  readonly version: string
  readonly case: string
  readonly peersJson: string | null
  readonly extraFlags: readonly string[]
  readonly otherChangesToDataDir: boolean
  readonly outcome: string
  readonly startupError: string | null
}
const file = new URL('../../../fixtures/samples/peers-json-variants/variants.json', import.meta.url)
const variants = JSON.parse(readFileSync(file, 'utf8')) as readonly Variant[]

void t.test('a peers.json is taken or refused as real servers did, with their words', async t => {
  let checked = 0
  for (const {version, case: name, peersJson, extraFlags, otherChangesToDataDir, startupError} of variants) {
    if (otherChangesToDataDir || peersJson === null) continue
    const objects = version === '1.8.19' && !extraFlags.includes('-raft-protocol=2')
    // The byte order mark was recorded as the bytes of its UTF-8 form, one character each
    const text = name === 'bom' ? peersJson.replace('\u00ef\u00bb\u00bf', '\ufeff') : peersJson
    const read = version === '0.6.4' ? livePeers(text) : recoveryPeers(text, objects ? 'objects' : 'list')
    const said = startupError?.replace(/^.*(parse peers\.json|get list of peers): /, '').toLowerCase()
    t.equal(read.ok ? undefined : read.reason.toLowerCase(), said, `${version} ${name}`)
    checked++
  }
  t.ok(checked > 50)
})
