import {Flags} from '@oclif/core'

/** Which local cluster; every `cluster` command takes it. */
export const clusterFlags = {
  name: Flags.string({
    char: 'n',
    aliases: ['cluster'],
    helpValue: 'NAME',
    default: 'local',
    summary: 'The local cluster.',
  }),
}

/** Which of its members, beside those that are named. */
export const memberFlags = {
  all: Flags.boolean({char: 'a', summary: 'All members of the cluster.'}),
}
