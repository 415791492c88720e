// Judges exchanges by the served document, with a validator that nobody here wrote.
//
//	validator DOCUMENT COUNTS < EXCHANGES
//
// EXCHANGES are those that test/support/record.ts writes, one JSON object per line. Writes what is wrong, one line each, and how
// often each operation had each status to the file COUNTS. Exits with 1 if anything is wrong.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/content"
	"github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi-validator/helpers"
	"github.com/pb33f/libopenapi-validator/paths"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

type exchange struct {
	Request struct {
		Method  string
		Path    string
		Headers map[string]any
		Body    *text
	}
	Reply struct {
		Status  int
		Headers map[string]string
		Body    string
	}
}

// A body: a string, or a Buffer as Node.js writes it.
type text string

func (body *text) UnmarshalJSON(source []byte) error {
	var buffer struct{ Data []uint16 }
	if json.Unmarshal(source, &buffer) != nil {
		return json.Unmarshal(source, (*string)(body))
	}
	bytes := make([]byte, len(buffer.Data))
	for index, value := range buffer.Data {
		bytes[index] = byte(value)
	}
	*body = text(bytes)
	return nil
}

func main() {
	source, err := os.ReadFile(os.Args[1])
	exitOn(err)
	judge := newJudge(source)
	exchanges := json.NewDecoder(os.Stdin)
	counts := map[string]map[int]int{}
	read, outside, found := 0, 0, 0
	for exchanges.More() {
		var given exchange
		exitOn(exchanges.Decode(&given))
		read++
		if given.Request.Method == "" {
			given.Request.Method = http.MethodGet
		}
		operation, findings := judge.judge(given)
		if operation == "" {
			outside++
		} else {
			if counts[operation] == nil {
				counts[operation] = map[int]int{}
			}
			counts[operation][given.Reply.Status]++
		}
		for _, finding := range findings {
			found++
			fmt.Printf("%s %s, %d: %s\n", given.Request.Method, given.Request.Path, given.Reply.Status, finding)
		}
	}
	fmt.Printf("%d exchanges, %d of them outside of operations; %d findings\n", read, outside, found)
	text, err := json.Marshal(counts)
	exitOn(err)
	exitOn(os.WriteFile(os.Args[2], text, 0o666))
	if found > 0 || read == 0 {
		os.Exit(1)
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

type judge struct {
	document *v3.Document
	// Reads requests as they are meant to be read: further members and headers are allowed where the document does not forbid them.
	requests validator.Validator
	// The same, but refuses query parameters that are not declared.
	queries validator.Validator
	// Refuses whatever a reply has beside what is declared.
	replies validator.Validator
	// The same, without a body.
	heads validator.Validator
}

func newJudge(source []byte) judge {
	document, err := libopenapi.NewDocument(source)
	exitOn(err)
	model, err := document.BuildV3Model()
	exitOn(err)
	build := func(options ...config.Option) validator.Validator {
		return validator.NewValidatorFromV3Model(&model.Model, append(options, config.WithRegexCache(&sync.Map{}))...)
	}
	form := config.WithBodyDecoder("application/x-www-form-urlencoded", content.FormDecoder())
	strict := []config.Option{
		config.WithStrictMode(),
		config.WithFormatAssertions(),
		// Those of the connection, and the one that the media type declares.
		config.WithStrictIgnoredHeaders("content-type", "date", "connection", "keep-alive"),
	}
	return judge{
		document: &model.Model,
		requests: build(form),
		queries:  build(form, config.WithStrictMode(), config.WithStrictIgnorePaths("$.headers.**", "$.body.**")),
		replies:  build(strict...),
		heads:    build(append(strict, config.WithoutResponseBodyValidation())...),
	}
}

// Returns the id of the operation, and what is wrong. Where the document has no such path, or the path no such method, only the
// status can be judged.
func (judge judge) judge(given exchange) (string, []string) {
	request, err := requestOf(given)
	if err != nil {
		return "", unless(given.Reply.Status == 400, "processed, but "+err.Error())
	}
	head := request.Method == http.MethodHead
	if head {
		request.Method = http.MethodGet
	}
	item, faults, _ := paths.FindPath(request, judge.document, nil)
	if item == nil {
		return "", unless(given.Reply.Status == 404 || isFile(request), "the document has no such path")
	}
	if len(faults) > 0 {
		return "", unless(given.Reply.Status == 405 || request.Method == http.MethodOptions, "the path has no such method")
	}
	reply := &http.Response{
		StatusCode: given.Reply.Status,
		Header:     http.Header{},
		Body:       io.NopCloser(strings.NewReader(given.Reply.Body)),
	}
	for name, value := range given.Reply.Headers {
		reply.Header.Set(name, value)
	}
	replies := judge.replies
	if head {
		replies = judge.heads
	}
	operation := helpers.ExtractOperation(request, item).OperationId
	if operation == "getContractAsJson" {
		// Its schema lists none of the document's members.
		replies = judge.requests
	}
	_, faults = replies.ValidateHttpResponse(request, reply)
	findings := reasons("the reply", faults)
	switch given.Reply.Status {
	case 200, 201, 204, 403, 404, 409, 422, 429:
		_, faults := judge.requests.ValidateHttpRequestSync(request)
		findings = append(findings, reasons("processed, but the document forbids it", faults)...)
	case 400, 415:
		allowed, _ := judge.queries.ValidateHttpRequestSync(request)
		// What no document can refuse.
		unsaid := request.Header.Get("Content-Encoding") != "" || !isUnicode(given.Request.Body) || isAmbiguous(request.URL)
		findings = append(findings, unless(!allowed || unsaid, "refused, but the document allows it")...)
	}
	return operation, findings
}

func unless(right bool, finding string) []string {
	if right {
		return nil
	}
	return []string{finding}
}

// The files of Swagger UI's page: the document has only the page.
func isFile(request *http.Request) bool {
	return strings.HasPrefix(request.URL.Path, "/docs/")
}

// No document can refuse a parameter that is given twice, and the validator takes 1 for true.
func isAmbiguous(address *url.URL) bool {
	for _, values := range address.Query() {
		if len(values) > 1 || values[0] == "1" || isMisread(values[0]) {
			return true
		}
	}
	return slices.ContainsFunc(strings.Split(address.Path, "/"), isMisread)
}

// The validator reads numbers and booleans as Go does, not only as JSON spells them.
func isMisread(text string) bool {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		number, err := strconv.Atoi(text)
		return err != nil || strconv.Itoa(number) != text
	}
	_, err := strconv.ParseBool(text)
	return err == nil && text != "true" && text != "false"
}

var surrogate = regexp.MustCompile(`(?i)\\ud[89a-f]`)

// A schema is for Unicode, which Go makes of any text.
func isUnicode(body *text) bool {
	if body == nil {
		return true
	}
	decoded, err := url.QueryUnescape(string(*body))
	if err != nil {
		decoded = string(*body)
	}
	return utf8.ValidString(decoded) && !surrogate.MatchString(decoded)
}

func requestOf(given exchange) (*http.Request, error) {
	var body io.Reader
	if given.Request.Body != nil {
		body = strings.NewReader(string(*given.Request.Body))
	}
	request, err := http.NewRequest(given.Request.Method, given.Request.Path, body)
	if err != nil {
		return nil, err
	}
	for name, value := range given.Request.Headers {
		request.Header.Set(name, fmt.Sprint(value))
	}
	return request, nil
}

func reasons(what string, faults []*errors.ValidationError) []string {
	var findings []string
	for _, fault := range faults {
		findings = append(findings, strings.Join([]string{what, fault.Message, fault.Reason}, ": "))
		for _, detail := range fault.SchemaValidationErrors {
			findings = append(findings, fmt.Sprintf("%s: %s", what, detail.Reason))
		}
	}
	return findings
}
