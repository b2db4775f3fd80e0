package mapping_test

import _ "github.com/crmstream/crmstream/internal/rewrite" // go test ./pipeline/... -rewrite
