import {Args, Flags} from '@oclif/core'
import {apiFlags, datacenterFlag} from '../../src/api-flags.js'
import {BaseCommand} from '../../src/base-command.js'
import {QuorateError} from '../../src/errors.js'

/** Writes a key. */
export default class KvPut extends BaseCommand<{readonly key: string; readonly bytes: number}> {
  static override summary = 'Write a key; with --cas only if nobody has changed it since.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> app/limit 42',
    '<%= config.bin %> <%= command.id %> app/config @config.json',
    '<%= config.bin %> <%= command.id %> app/limit 43 --cas 184',
  ]
  static override args = {
    key: Args.string({required: true, description: 'Key.'}),
    value: Args.string({
      description: 'Value; @FILE for what a file holds, - for standard input; empty without it.',
    }),
  }
  static override flags = {
    ...apiFlags,
    ...datacenterFlag,
    base64: Flags.boolean({summary: 'The value is given in base64.'}),
    cas: Flags.integer({
      min: 0,
      helpValue: 'INDEX',
      summary: 'Only if it was last changed at this index; 0: if it is not there.',
    }),
    flags: Flags.string({helpValue: 'N', summary: 'Number that is kept beside the value.'}),
    acquire: Flags.string({
      helpValue: 'SESSION',
      exclusive: ['release'],
      summary: 'Take the lock of the key for this session.',
    }),
    release: Flags.string({helpValue: 'SESSION', summary: 'Give the lock back from this session.'}),
  }

  /** Asks one agent to write. */
  async run(): Promise<{readonly key: string; readonly bytes: number}> {
    const {args, flags} = await this.parse(KvPut)
    if (flags.flags !== undefined && !/^\d{1,20}$/.test(flags.flags))
      throw new QuorateError('USAGE', '--flags takes a whole number.')
    const [{openAgentApi}, {putKey}, {renderDone}, {readArgument}] = await Promise.all([
      import('../../src/open-api.js'),
      import('../../src/client/kv.js'),
      import('../../src/ui/views/done.js'),
      import('../../src/read-argument.js'),
    ])
    const api = await openAgentApi(flags)
    const given = await readArgument(args.value ?? '')
    const value = flags.base64 ? decodeBase64(new TextDecoder().decode(given)) : given
    await putKey(api, args.key, value, {...flags, flags: flags.flags})
    const result = {key: args.key, bytes: value.length}
    const screen = (): string => renderDone(`Written: ${args.key} (${value.length} bytes).`)
    return this.show({result, exit: 'ok', screen}, this.terminal(flags))
  }
}

function decodeBase64(text: string): Uint8Array {
  const plain = text.replaceAll(/\s/g, '')
  if (plain.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(plain))
    throw new QuorateError('USAGE', 'The value is not base64.')
  return Buffer.from(plain, 'base64')
}
