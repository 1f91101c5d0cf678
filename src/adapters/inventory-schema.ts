import {z} from 'zod'

const source = z
  .strictObject({env: z.string().optional(), file: z.string().optional()})
  .refine(value => (value.env === undefined) !== (value.file === undefined), 'takes either env or file')
const oneOrMore = z.union([z.string(), z.array(z.string()).min(1)])
const absolute = z.string().startsWith('/', 'must be an absolute path')
const argv = z.array(z.string()).min(1)

const settings = {
  transport: z.enum(['local', 'ssh', 'openssh']).optional(),
  address: z.string().min(1).optional(),
  ssh: z
    .strictObject({
      user: z.string().min(1).optional(),
      port: z.int().min(1).max(65535).optional(),
      identity: oneOrMore.optional(),
      jump: oneOrMore.optional(),
      known_hosts: oneOrMore.optional(),
    })
    .optional(),
  sudo: z.union([z.boolean(), z.strictObject({password: z.union([z.literal('ask'), source])})]).optional(),
  data_dir: absolute.optional(),
  config_dir: absolute.optional(),
  log_file: absolute.optional(),
  service: z
    .union([
      z.string().min(1),
      z.strictObject({
        manager: z.enum(['systemd', 'upstart', 'sysv', 'supervisor', 'runit', 'custom']).optional(),
        unit: z.string().min(1).optional(),
        custom: z.strictObject({status: argv, start: argv, stop: argv}).optional(),
      }),
    ])
    .optional(),
  http: z.string().min(1).optional(),
  token: source.optional(),
  tls: z
    .strictObject({
      ca: z.string().optional(),
      cert: z.string().optional(),
      key: z.string().optional(),
      server_name: z.string().optional(),
    })
    .optional(),
}

const rawSettings = z.strictObject(settings)
const rawHost = z.union([z.string().min(1), z.strictObject({name: z.string().min(1), ...settings})])

/** The schema of `quorate.yaml`. Strict: an unknown key is more likely a typing slip than a wish. */
export const inventorySchema = z.strictObject(
  {
    defaults: rawSettings.optional(),
    clusters: z
      .record(
        z.string().min(1),
        z.strictObject({
          product: z.enum(['consul', 'nomad', 'vault', 'rqlite']).default('consul'),
          ...settings,
          hosts: z.array(rawHost).min(1, 'names no host'),
        }),
      )
      .refine(clusters => Object.keys(clusters).length > 0, 'names no cluster'),
  },
  {
    error: issue =>
      issue.input === null || issue.input === undefined
        ? 'the file is empty; it must have clusters'
        : issue.code === 'invalid_type'
          ? 'this is not an inventory: it must have clusters, each with hosts'
          : undefined,
  },
)

export type RawSettings = z.infer<typeof rawSettings>
export type RawHost = z.infer<typeof rawHost>
