import {Args, Flags} from '@oclif/core'
import {apiFlags, datacenterFlag} from '../../src/api-flags.js'
import {BaseCommand} from '../../src/base-command.js'
import {QuorateError} from '../../src/errors.js'

interface Imported {
  readonly imported: readonly string[]
}

/** Writes keys from an export. */
export default class KvImport extends BaseCommand<Imported> {
  static override summary =
    'Write the keys of a `consul kv export`; nothing is written when any of it cannot be read.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> @keys.json',
    '<%= config.bin %> <%= command.id %> - < keys.json',
  ]
  static override args = {
    data: Args.string({
      default: '-',
      description: '@FILE, - for standard input, which is the default, or the JSON itself.',
    }),
  }
  static override flags = {
    ...apiFlags,
    ...datacenterFlag,
    prefix: Flags.string({default: '', helpValue: 'PREFIX', summary: 'Put this in front of every key.'}),
  }

  /** Asks one agent to write, key by key. */
  async run(): Promise<Imported> {
    const {args, flags} = await this.parse(KvImport)
    const [{openAgentApi}, {putKey}, {parseKvExport}, {describeProblem}, {readArgument}, {renderLines}] =
      await Promise.all([
        import('../../src/open-api.js'),
        import('../../src/client/kv.js'),
        import('../../src/core/codec/kv-export.js'),
        import('../../src/core/codec/parse-problem.js'),
        import('../../src/read-argument.js'),
        import('../../src/ui/views/done.js'),
      ])
    const api = await openAgentApi(flags)
    const text = new TextDecoder().decode(await readArgument(args.data))
    const read = parseKvExport(text, args.data.startsWith('@') ? args.data.slice(1) : 'the import')
    if (!read.ok) throw new QuorateError('USAGE', `Nothing was imported: ${describeProblem(read.problem)}.`)
    const imported: string[] = []
    for (const {key, flags: number, value} of read.value) {
      const name = `${flags.prefix}${key}`
      await putKey(api, name, Buffer.from(value, 'base64'), {flags: number, datacenter: flags.datacenter})
      imported.push(name)
    }
    const lines = imported.map(name => `Imported: ${name}`)
    return this.show({result: {imported}, exit: 'ok', screen: () => renderLines(lines)}, this.terminal(flags))
  }
}
