/** Secrets in texts that are passed on. What looks like one is replaced: rather too much than too little. */

const masked = '***';

/** A name that says that its value is a secret. */
const secretName = String.raw`[\w.-]*(?:secret|token|passw(?:or)?d|passphrase|credential|key)[\w.-]*`;

/** Names that only sound like it: of rows and of what is public. */
const harmlessName =
  /^(?:[a-z_]*(?:job|workflow|file|user_data|event|action|node|config|handler|requirements|run|attempt|notification|schedule|allocation|upstream|parent|barrier)[a-z_]*_keys?|keys?|public_?key|token_file|keyerror|keyword|monkey|keyboardinterrupt)$/i;

/** Known shapes of credentials, whatever stands before them. */
const shapes: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/-----BEGIN ([A-Z ]*PRIVATE KEY)-----[\s\S]*?(?:-----END \1-----|$)/g, masked],
  [/\b(bearer|basic)(\s+)[\w.~+/=-]{6,}/gi, `$1$2${masked}`],
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@:"']*:[^\s/@"']+@/gi, `$1${masked}@`],
  [/\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?/g, masked],
  [
    /\b(?:gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}|sk-[\w-]{16,}|A[KS]IA[A-Z0-9]{16}|hf_\w{16,})\b/g,
    masked,
  ],
  [
    /\bhttps:\/\/(?:hooks\.slack\.com|discord(?:app)?\.com\/api\/webhooks|[\w.-]*webhook\.office\.com)\/[^\s"'<>]+/g,
    masked,
  ],
];

/** `NAME=value`, `"name": "value"`, `--name value`: the value may be quoted, also inside a JSON text. */
const assigned = new RegExp(
  String.raw`((?:--)?\b(${secretName})\b(?:\\?["'])?\s*(?:[=:]\s*|\s(?<=--[\w-]+\s)))(\\?"(?:[^"\\]|\\[^"])*\\?"|'[^']*'|[^\s"',;}\]]+)`,
  'gi',
);

/** Replaces secrets by `***`; `known` are texts that are secrets for certain, such as the server's token. */
export function withoutSecrets(text: string, known: readonly string[] = []): string {
  let clean = text;
  for (const secret of known) if (secret.length >= 6) clean = clean.replaceAll(secret, masked);
  for (const [pattern, replacement] of shapes) clean = clean.replace(pattern, replacement);
  return clean.replace(assigned, (whole, before: string, name: string, value: string) => {
    if (harmlessName.test(name) || /^(?:null|true|false|\[|\{)/.test(value)) return whole;
    const quote = /^\\?["']/.exec(value)?.[0] ?? '';
    return `${before}${quote}${masked}${quote}`;
  });
}

/** The values of variables whose names say that they are secrets. */
export function secretValues(env: Readonly<Record<string, string | undefined>>): string[] {
  const isSecret = new RegExp(`^${secretName}$`, 'i');
  return Object.entries(env).flatMap(([name, value]) => (isSecret.test(name) && value !== undefined ? [value] : []));
}
