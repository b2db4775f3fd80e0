package phone

import _ "github.com/crmstream/crmstream/internal/rewrite" // go test ./pipeline/... -rewrite
