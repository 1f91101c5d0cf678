import {Flags} from '@oclif/core'
import {MembersCommand} from '../../src/cluster-command.js'
import {clusterFlags, memberFlags} from '../../src/cluster-flags.js'
import type {ClusterJson} from '../../src/ui/views/cluster.js'

/** Kills members, with or without what they hold. */
export default class ClusterKill extends MembersCommand {
  static override summary = 'Kill members of a local cluster: SIGKILL.'
  static override description =
    'What they have on disk stays, and `cluster start` starts them on it. With --for-good their machines burn: nothing is left of them, and they answer to nobody.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> server2 server3',
    '<%= config.bin %> <%= command.id %> server3 server4 server5 --for-good',
  ]
  static override strict = false
  static override flags = {
    ...clusterFlags,
    ...memberFlags,
    'for-good': Flags.boolean({summary: 'Destroy their data too: the machine is gone.'}),
  }

  /** Does it, and shows the cluster. */
  async run(): Promise<ClusterJson> {
    const {argv, flags} = await this.parse(ClusterKill)
    return this.act({argv: argv as string[], flags}, async (cluster, members) => {
      if (flags['for-good']) {
        await cluster.destroy(members)
        return ''
      }
      await cluster.stop(members, 'SIGKILL')
      return ''
    })
  }
}
