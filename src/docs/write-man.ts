// Writes man/*.1 and the catalogue pages man/*.7 from oclif's manifest and the catalogues. Run by `npm run man`.
import {mkdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {fileURLToPath} from 'node:url'
import {renderManual} from './render-manual.js'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const manifest = JSON.parse(await readFile(join(root, 'oclif.manifest.json'), 'utf8'))
await mkdir(join(root, 'man'), {recursive: true})
for (const [name, text] of Object.entries(renderManual(manifest)))
  await writeFile(join(root, 'man', name), text)
