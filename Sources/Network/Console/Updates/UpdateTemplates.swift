/// The templates of releases and rollouts.
enum UpdateTemplates {
    static let releases = """
        <h1>Releases</h1>
        <p class="lead">What devices can be updated to. Sign a manifest where the release key is (<code>srup-release sign</code>), add it here, and start a rollout.</p>
        <div class="scroll" role="region" aria-label="Releases" tabindex="0">
        <table>
        <thead><tr><th scope="col">Number</th><th scope="col">Version</th><th scope="col">For</th><th scope="col">Payload</th><th scope="col">Expires</th><th scope="col">Added</th>{{#administers}}<th scope="col">Change</th>{{/administers}}</tr></thead>
        <tbody id="rows" data-rows="row">
        {{#rows}}<tr id="r-{{number}}" data-row="r-{{number}}"><th scope="row">{{number}}</th><td>{{version}}{{#bare}} <span class="hint">without manifest</span>{{/bare}}</td><td>{{type}}</td><td><span class="state {{mark}}">{{payload}}</span> <span class="hint">{{size}}</span><br><code class="hex">{{digest}}</code></td><td>{{expires}}</td><td>{{added}}, {{by}}</td>{{#administers}}<td>
        {{#upload}}<form method="post" action="/releases/{{number}}/payload" enctype="multipart/form-data" class="row"><input type="hidden" name="token" value="{{uploadToken}}"><input type="file" name="payload" required aria-label="The payload of {{version}}"><button class="second">Upload<span class="unseen"> the payload of {{version}}</span></button></form>{{/upload}}
        {{#there}}<form method="post" action="/releases/withdraw" class="row"><input type="hidden" name="token" value="{{withdrawToken}}"><button class="danger" name="number" value="{{number}}">Withdraw<span class="unseen"> release {{number}}</span></button></form>{{/there}}
        </td>{{/administers}}</tr>
        {{/rows}}
        </tbody>
        </table>
        </div>
        {{^rows}}<p class="empty">There is none yet.</p>{{/rows}}
        {{#administers}}
        <h2>Add a release</h2>
        <form method="post" action="/releases" class="row">
        <input type="hidden" name="token" value="{{addToken}}">
        <p class="full"><label for="manifest">The manifest's text</label> <textarea id="manifest" name="manifest" rows="10" cols="80" maxlength="4096" required spellcheck="false" placeholder="SRUP release manifest 1"></textarea></p>
        <p><button>Add</button></p>
        </form>
        <p class="hint">{{keys}} Files are served at <code>{{base}}</code>: a payload whose address in the manifest begins so is uploaded here afterwards.</p>
        {{/administers}}

        """

    static let rollouts = """
        <h1>Rollouts</h1>
        <div class="scroll" role="region" aria-label="Rollouts" tabindex="0">
        <table>
        <thead><tr><th scope="col">Rollout</th><th scope="col">Release</th><th scope="col">To</th><th scope="col">State</th><th scope="col">Progress</th><th scope="col">Started</th></tr></thead>
        <tbody id="rows" data-rows="row">
        {{#rows}}<tr id="o-{{number}}" data-row="o-{{number}}"><th scope="row"><a href="/rollouts/{{number}}">Rollout {{number}}</a></th><td>{{version}}</td><td>{{target}}</td><td><span class="state {{mark}}">{{state}}</span>{{#why}}<br><span class="hint">{{why}}</span>{{/why}}</td><td><progress max="{{total}}" value="{{updated}}" aria-label="Rollout {{number}}">{{updated}} of {{total}}</progress><br>{{figures}}</td><td>{{created}}, {{by}}</td></tr>
        {{/rows}}
        </tbody>
        </table>
        </div>
        {{^rows}}<p class="empty">There is none yet.</p>{{/rows}}
        {{>more}}
        {{#starts}}
        <h2>Start a rollout</h2>
        <form method="post" action="/rollouts" id="start" class="forms">
        <input type="hidden" name="token" value="{{token}}">
        <p><label for="release">Release</label><br><select id="release" name="release" required>{{#releases}}<option value="{{number}}"{{#here}} selected{{/here}}>{{number}}: {{version}} for {{type}}</option>{{/releases}}</select></p>
        <p><label for="kind">To</label><br><select id="kind" name="kind">{{#kinds}}<option value="{{value}}"{{#here}} selected{{/here}}>{{name}}</option>{{/kinds}}</select></p>
        <p><label for="target">Which type, group or zone; or identities</label><br><input id="target" name="target" value="{{target}}" required></p>
        {{#numbers}}<p><label for="{{id}}">{{label}}</label><br><input id="{{id}}" name="{{id}}" value="{{value}}" inputmode="numeric"></p>
        {{/numbers}}
        <p class="full"><label class="choose"><input type="checkbox" name="includes_later" value="yes">Members that join later get it, too</label>
        <label class="choose"><input type="checkbox" name="takes_silence" value="yes">Devices that never answer ACTIVATE (of the reference) count as updated, unconfirmed</label></p>
        <p class="full"><button>Start</button></p>
        </form>
        {{/starts}}

        """

    static let rollout = """
        <h1>Rollout {{number}}</h1>
        <div id="now" data-row="now">
        <dl class="facts">
        <div><dt>Release</dt><dd>{{version}}{{#type}} for {{type}}{{/type}}</dd></div>
        <div><dt>To</dt><dd>{{target}}{{#later}}, also those that join later{{/later}}</dd></div>
        <div><dt>State</dt><dd><span class="state {{mark}}">{{state}}</span></dd></div>
        <div><dt>Step</dt><dd>{{step}}</dd></div>
        <div><dt>Started</dt><dd>{{created}}, {{by}}</dd></div>
        </dl>
        {{#why}}<div class="box warn"><p>{{why}}</p></div>{{/why}}
        <p><progress id="bar" max="{{total}}" value="{{updated}}" aria-label="Devices that are updated">{{updated}} of {{total}}</progress> {{updated}} of {{total}} updated</p>
        <p>{{figures}}</p>
        <p class="hint">{{plan}}</p>
        {{#back}}<div class="box"><p>Release {{backNumber}} ({{backVersion}}) brings an earlier payload back, under a higher version, as devices want it. <a href="/rollouts?release={{backNumber}}&amp;devices={{number}}">Start a rollout of it</a></p></div>{{/back}}
        {{#noBack}}<div class="box"><p>Devices take no lower version. To bring the earlier payload back, sign a manifest for it with a higher version than {{version}}, and add it as a release.</p></div>{{/noBack}}
        </div>
        <div id="ways" data-row="ways-{{state}}"><div class="buttons">
        {{#ways}}<form method="post" action="/rollouts/{{number}}/{{path}}"><input type="hidden" name="token" value="{{token}}"><button class="{{class}}">{{button}}</button></form>
        {{/ways}}
        </div></div>
        <h2>Devices</h2>
        <form method="get" action="/rollouts/{{number}}" class="search"><p><label for="phase">State</label> <select id="phase" name="phase"><option value="">All</option>{{#phases}}<option value="{{value}}"{{#here}} selected{{/here}}>{{name}}</option>{{/phases}}</select></p><p><button class="second">Show</button></p></form>
        <div class="scroll" role="region" aria-label="Devices" tabindex="0">
        <table>
        <thead><tr><th scope="col">Place</th><th scope="col">Device</th><th scope="col">State</th><th scope="col">Tries</th><th scope="col">Answer</th><th scope="col">Since</th><th scope="col">Reason</th></tr></thead>
        <tbody id="rows" data-rows="row">
        {{#devices}}<tr id="d-{{id}}" data-row="d-{{id}}"><td>{{place}}</td><th scope="row"><a href="/devices/{{id}}" class="id">{{id}}</a></th><td><span class="state {{mark}}">{{phase}}</span></td><td>{{tries}}</td><td>{{answer}}</td><td>{{since}}</td><td>{{why}}</td></tr>
        {{/devices}}
        </tbody>
        </table>
        </div>
        {{^devices}}<p class="empty">None.</p>{{/devices}}
        {{>more}}

        """
}
