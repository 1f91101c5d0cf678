import {randomBytes} from 'node:crypto'
import {BaseCommand} from '../src/base-command.js'

/** Makes a gossip key. */
export default class Keygen extends BaseCommand<{readonly key: string}> {
  static override summary = 'Make a key that encrypts gossip, for `encrypt` in the config of every agent.'
  static override examples = ['<%= config.bin %> <%= command.id %>']

  /** Makes 32 random bytes. */
  async run(): Promise<{readonly key: string}> {
    const {flags} = await this.parse(Keygen)
    const key = randomBytes(32).toString('base64')
    return this.show({result: {key}, exit: 'ok', screen: () => key}, this.terminal(flags))
  }
}
