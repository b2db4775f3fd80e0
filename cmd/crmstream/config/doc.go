// Package config is the process's configuration and the tenants' documents as
// people write them: YAML in, checked values out.
//
// Every mistake of a file is reported at once, with line, column and mend. A
// setting may be overridden by an environment variable: CRMSTREAM_ and its path in
// capitals, dots as underscores (CRMSTREAM_HTTP_LISTEN). Secrets stand in
// files only as references, env:NAME or file:PATH; Secret resolves one at use and
// no message repeats what it found (P10).
package config
