import Mustache

/// The pages' templates, compiled once.
struct Templates: Sendable {
    private let library: MustacheLibrary

    /// - Throws: when a template is wrong; a test makes them all.
    init() throws {
        var templates: [String: MustacheTemplate] = [:]
        for (name, text) in Self.texts { templates[name] = try MustacheTemplate(string: text) }
        library = MustacheLibrary(templates: templates)
    }

    /// A part of a page. Every `{{value}}` in it is escaped.
    func render(_ name: String, _ values: [String: Any]) -> String {
        library.render(values, withTemplate: name) ?? ""
    }

    private static let texts: [String: String] = [
        "layout": layout, "sign-in": signIn, "error": error, "waiting": waiting, "card": card, "compare": compare,
        "devices": devices, "device": device, "groups": groups, "group": group, "observers": observers,
        "observations": observations,
        "policies": policies, "cells": cells, "audit": audit, "audit-rows": auditRows, "operators": operators,
        "account": account,
        "more": more, "joins": joins, "new-secret": newSecret, "invite": invite, "phone": phone,
        "releases": UpdateTemplates.releases, "rollouts": UpdateTemplates.rollouts, "rollout": UpdateTemplates.rollout,
    ]

    private static let layout = """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <title>{{#problem}}Error: {{/problem}}{{title}} - {{network}}</title>
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <link rel="stylesheet" href="/assets/style.css?{{version}}">
        <link rel="icon" href="/assets/icon.svg?{{version}}">
        {{#visitor}}<script src="/assets/live.js?{{version}}" defer></script>{{/visitor}}
        </head>
        <body data-live="{{live}}">
        <a class="skip" href="#main">Skip to main content</a>
        <header class="top">
        <div class="wide">
        <a class="brand" href="/">{{network}}</a>
        {{#visitor}}
        <nav aria-label="Pages">
        <ul>
        {{#nav}}<li><a href="{{href}}"{{#here}} aria-current="page"{{/here}}>{{name}}{{#count}} <span class="count" id="count" data-row="count">{{count}}<span class="unseen"> waiting</span></span>{{/count}}</a></li>
        {{/nav}}
        </ul>
        </nav>
        <form method="post" action="/sign-out" class="who">
        <input type="hidden" name="token" value="{{outToken}}">
        {{#cell}}<a href="/cells">Cell {{cell}}</a>{{/cell}}
        <a href="/account">{{name}}</a>
        <button class="plain">Sign out</button>
        </form>
        {{/visitor}}
        </div>
        </header>
        <main id="main" class="wide" tabindex="-1">
        <p id="link" class="link" role="status" hidden></p>
        {{#done}}<div class="box good" role="status"><p>{{done}}</p></div>{{/done}}
        {{#problem}}<div class="box bad" role="alert" id="problem" tabindex="-1"><h2>There is a problem</h2><ul>{{#problems}}<li>{{words}}{{#remedy}} {{remedy}}{{/remedy}}</li>{{/problems}}</ul></div>{{/problem}}
        {{{body}}}
        </main>
        <footer><div class="wide"><p>srup-c2 {{release}}. All times are UTC.</p></div></footer>
        </body>
        </html>

        """

    private static let signIn = """
        <h1>Sign in</h1>
        {{#cross}}<p>You came from another site, so that your browser did not say who you are.
        <a href="{{next}}">Continue</a> if you have signed in already.</p>{{/cross}}
        <form method="post" action="/sign-in" class="narrow">
        <input type="hidden" name="next" value="{{next}}">
        <p><label for="name">Name</label>
        <input id="name" name="name" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="32" required value="{{name}}"></p>
        <p><label for="password">Password</label>
        <input id="password" name="password" type="password" autocomplete="current-password" maxlength="256" required></p>
        <p><button>Sign in</button></p>
        </form>
        <p class="hint">Operators are made at the server: <code>srup-c2 operator add NAME --role moderate</code></p>

        """

    private static let error = """
        <h1>{{words}}</h1>
        <p>{{remedy}}</p>
        {{#visitor}}<p><a href="{{back}}">Go on</a></p>{{/visitor}}
        {{^visitor}}<p><a href="/sign-in">Sign in</a></p>{{/visitor}}

        """

    private static let waiting = """
        <h1>Waiting</h1>
        {{#moderates}}<p class="lead">Look at the device itself. It shows eleven words; type the first {{letters}} letters of those that are asked for.</p>{{/moderates}}
        {{#moderates}}
        <form id="decide" method="post" action="/waiting">
        <input type="hidden" name="token" value="{{token}}">
        <input type="hidden" name="after" value="{{after}}">
        <button class="unseen" name="do" value="approve" tabindex="-1" aria-hidden="true">Let in those whose words are typed</button>
        </form>
        {{/moderates}}
        <div id="rows" data-rows="row">
        {{#rows}}{{>card}}{{/rows}}
        </div>
        <p data-row="none" id="none" class="empty"{{^none}} hidden{{/none}}>Nobody waits. A device that runs <code>srup-device run --present words</code> and may not come in by itself appears here.</p>
        {{#moderates}}{{#several}}
        <div class="bulk" id="bulk" data-row="bulk">
        <button form="decide" name="do" value="approve">Let in all whose words are typed</button>
        <button form="decide" name="do" value="refuse" class="second">Refuse the chosen</button>
        </div>
        {{/several}}{{/moderates}}
        {{>more}}

        """

    private static let card = """
        <article class="card" id="w-{{id}}" data-row="w-{{id}}-{{ticket}}" aria-labelledby="h-{{id}}">
        <h2 id="h-{{id}}"><a href="/devices/{{id}}" class="id">{{id}}</a> <span class="type">{{type}}</span></h2>
        {{#trusted}}<p class="box warn">An observer: letting it in lets it vouch for other devices, too.</p>{{/trusted}}
        <dl class="facts">
        <div><dt>Asked</dt><dd><time datetime="{{sinceISO}}">{{since}}</time></dd></div>
        <div><dt>Requests</dt><dd>{{requests}}</dd></div>
        <div><dt>Values shown</dt><dd>{{tries}}</dd></div>
        <div><dt>Key service</dt><dd>{{known}}</dd></div>
        {{#note}}<div><dt>Note</dt><dd>{{note}}</dd></div>{{/note}}
        </dl>
        {{#moderates}}
        <input type="hidden" form="decide" name="ticket-{{id}}" value="{{ticket}}">
        <fieldset class="words">
        <legend>Which words does it show?</legend>
        {{#question}}
        <p><label for="q-{{id}}-{{index}}">Word {{place}}</label>
        <input form="decide" id="q-{{id}}-{{index}}" name="word-{{id}}" maxlength="12" size="9" autocomplete="off" autocapitalize="none" autocorrect="off" spellcheck="false" aria-describedby="hint-{{id}}" data-clear></p>
        {{/question}}
        <p class="hint" id="hint-{{id}}">Three letters of each are enough.</p>
        </fieldset>
        <p class="buttons">
        <button form="decide" name="do" value="approve:{{id}}" aria-describedby="h-{{id}}">Let in</button>
        <button form="decide" name="do" value="refuse:{{id}}" class="second" aria-describedby="h-{{id}}">Refuse</button>
        <a href="/waiting/{{id}}" aria-describedby="h-{{id}}">Compare pictures or digits</a>
        <label class="choose"><input type="checkbox" form="decide" name="chosen" value="{{id}}"> Choose<span class="unseen"> {{id}}</span></label>
        </p>
        {{/moderates}}
        </article>

        """

    private static let compare = """
        <p><a href="/waiting">Back to all that wait</a></p>
        <h1>Compare <span class="id">{{id}}</span></h1>
        <p class="lead">{{type}}. It may come in only if it shows exactly one of these. Look at the device itself, not at a picture that somebody has sent you.</p>
        <div data-rows="whole" id="rows"><div id="compare" data-row="compare-{{ticket}}">
        <div class="forms">
        <section aria-labelledby="f-words"><h2 id="f-words">Words</h2><ol class="value">{{#words}}<li>{{word}}</li>{{/words}}</ol></section>
        <section aria-labelledby="f-colours"><h2 id="f-colours">Four colours</h2>{{{colours}}}</section>
        <section aria-labelledby="f-mono"><h2 id="f-mono">Black and white</h2>{{{mono}}}</section>
        <section aria-labelledby="f-eink"><h2 id="f-eink">Three colours</h2>{{{eink}}}</section>
        <section aria-labelledby="f-hex" class="full"><h2 id="f-hex">Digits</h2><p class="value hex">{{hex}}</p></section>
        </div>
        <form method="post" action="/waiting/{{id}}">
        <input type="hidden" name="token" value="{{token}}"><input type="hidden" name="ticket" value="{{ticket}}">
        <p><label class="choose"><input type="checkbox" name="compared" value="yes"> I stand before the device, and it shows the same.</label></p>
        <p class="buttons"><button name="do" value="approve">Let in</button> <button name="do" value="refuse" class="second">Refuse</button></p>
        </form>
        </div></div>

        """

    private static let devices = """
        <h1>Devices</h1>
        <form method="get" action="/devices" class="search" role="search">
        <p><label for="text">Identity, type, note or program</label> <input id="text" name="text" value="{{text}}" maxlength="64" type="search"></p>
        <p><label for="state">State</label> <select id="state" name="state">{{#states}}<option value="{{value}}"{{#here}} selected{{/here}}>{{name}}</option>{{/states}}</select></p>
        <p><label for="type">Type</label> <select id="type" name="type"><option value="">All</option>{{#types}}<option value="{{value}}"{{#here}} selected{{/here}}>{{value}}</option>{{/types}}</select></p>
        <p><button>Search</button></p>
        </form>
        <p id="total" data-row="total">{{total}}</p>
        <p><a href="/invite">Add a device</a></p>
        <div class="scroll" role="region" aria-label="Devices" tabindex="0">
        <table>
        <thead><tr><th scope="col">Identity</th><th scope="col">Type</th><th scope="col">State</th><th scope="col">Last heard</th><th scope="col">Program</th><th scope="col">Note</th></tr></thead>
        <tbody id="rows" data-rows="row">
        {{#rows}}<tr id="d-{{id}}" data-row="d-{{id}}"><th scope="row"><a class="id" href="/devices/{{id}}">{{id}}</a></th><td>{{type}}</td><td><span class="state {{mark}}">{{state}}</span></td><td><time>{{heard}}</time></td><td>{{program}}</td><td>{{note}}</td></tr>
        {{/rows}}
        </tbody>
        </table>
        </div>
        {{^rows}}<p class="empty">No device is like that.</p>{{/rows}}
        {{>more}}

        """

    private static let invite = """
        <p><a href="/devices">All devices</a></p>
        <h1>Add a device</h1>
        <p class="lead">Hold this code before the camera of a device or an observer that waits for it. It says where to register, and by which authority that place is to be believed.</p>
        <div class="invitation">{{{picture}}}</div>
        <p class="value hex">{{text}}</p>
        <form method="get" action="/invite" class="row">
        <p><label for="zone">To a zone, whose observers look at whoever registers by this code</label> <input id="zone" name="zone" maxlength="64" autocapitalize="none" spellcheck="false" value="{{zone}}"></p>
        <p><button class="second">Show that code</button></p>
        </form>
        <h2>At its terminal</h2>
        <p><code>srup-device register --state DIR --type TYPE</code> and <code>srup-observer register</code> wait for the code when no URL is given. With the authority's certificate, <code>ca.crt</code> of the server's folder:</p>
        <p><code>srup-device register --url {{keyService}}{{#zone}}/zone/{{zone}}{{/zone}} --ca ca.crt --state DIR --type TYPE</code></p>
        <p class="hint">Everybody who reaches the key service may register. Who comes in is decided by the <a href="/policies">policies</a>.</p>

        """

    private static let more = """
        {{#more}}<nav class="pages" aria-label="More"><a href="{{more}}" rel="next">Next page</a></nav>{{/more}}
        {{#first}}<nav class="pages" aria-label="Beginning"><a href="{{first}}">First page</a></nav>{{/first}}

        """

    private static let device = """
        <p><a href="/devices">All devices</a></p>
        <h1><span class="id">{{id}}</span></h1>
        <div data-rows="whole" id="rows"><div id="about" data-row="about">
        <dl class="facts">
        <div><dt>Type</dt><dd>{{type}}</dd></div>
        <div><dt>State</dt><dd><span class="state {{mark}}">{{state}}</span></dd></div>
        <div><dt>Last heard</dt><dd><time>{{heard}}</time></dd></div>
        <div><dt>Came in</dt><dd>{{admission}}</dd></div>
        {{#seen}}<div><dt>Last seen</dt><dd>{{seen}}</dd></div>{{/seen}}
        <div><dt>Program</dt><dd>{{program}}</dd></div>
        <div><dt>SRUP version</dt><dd>{{version}}</dd></div>
        <div><dt>Registered</dt><dd>{{known}}</dd></div>
        {{#groups}}<div><dt>Groups</dt><dd>{{groups}}</dd></div>{{/groups}}
        <div><dt>Key, SHA-256</dt><dd class="hex">{{fingerprint}}</dd></div>
        </dl>
        {{#waits}}<p class="box warn">It waits to be let in. <a href="/waiting#w-{{id}}">Decide</a></p>{{/waits}}
        </div></div>
        {{#moderates}}
        <h2>Zone</h2>
        <form method="post" action="/devices/{{id}}/zone" class="row">
        <input type="hidden" name="token" value="{{zoneToken}}">
        <p><label for="zone">Whose observers look at it; empty: as its type says{{#typeZone}} ({{typeZone}}){{/typeZone}}</label> <input id="zone" name="zone" maxlength="64" autocapitalize="none" spellcheck="false" value="{{zone}}"></p>
        <p><button class="second">Set zone</button></p>
        </form>
        <h2>Note</h2>
        <form method="post" action="/devices/{{id}}/note" class="row">
        <input type="hidden" name="token" value="{{noteToken}}">
        <p><label for="note">What is worth knowing about it</label> <input id="note" name="note" maxlength="500" value="{{note}}"></p>
        <p><button class="second">Keep</button></p>
        </form>
        {{#joined}}
        <h2>Send</h2>
        <div class="columns">
        <form method="post" action="/devices/{{id}}/action">
        <input type="hidden" name="token" value="{{actionToken}}">
        <p><label for="action">Action, by number or by the name that the device tells</label> <input id="action" name="action" maxlength="64" autocapitalize="none" spellcheck="false" required></p>
        <p><button class="second">Send action</button></p>
        </form>
        <form method="post" action="/devices/{{id}}/data">
        <input type="hidden" name="token" value="{{dataToken}}">
        <p><label for="data-name">Data name</label> <input id="data-name" name="name" maxlength="255" required></p>
        <p><label for="data-value">Value, as its type is written</label> <input id="data-value" name="value" maxlength="4096"></p>
        <p><button class="second">Send data</button></p>
        </form>
        <form method="post" action="/devices/{{id}}/identify">
        <input type="hidden" name="token" value="{{identifyToken}}">
        <p>Ask which program it runs, and which version.</p>
        <p><button class="second">Ask</button></p>
        </form>
        </div>
        {{/joined}}
        <h2>Trust and leave</h2>
        <div class="columns">
        {{#ways}}
        <form method="post" action="/devices/{{id}}/{{path}}">
        <input type="hidden" name="token" value="{{token}}">
        <p>{{words}}</p>
        {{#sure}}<p><label class="choose"><input type="checkbox" name="sure" value="yes" required> {{sure}}</label></p>{{/sure}}
        <p><button class="{{class}}">{{button}}</button></p>
        </form>
        {{/ways}}
        </div>
        {{/moderates}}
        {{#hasValues}}
        <h2>Values</h2>
        <div class="scroll" role="region" aria-label="Values" tabindex="0">
        <table>
        <thead><tr><th scope="col">Name</th><th scope="col">Last value</th><th scope="col">Received</th><th scope="col">Kept</th></tr></thead>
        <tbody id="values" data-rows="row">
        {{#readings}}<tr data-row="v-{{name}}"><th scope="row">{{name}}</th><td>{{value}}</td><td><time>{{received}}</time></td><td>{{count}}</td></tr>
        {{/readings}}
        </tbody>
        </table>
        </div>
        {{/hasValues}}
        {{#hasSent}}
        <h2>What it was told</h2>
        <div class="scroll" role="region" aria-label="What it was told" tabindex="0">
        <table>
        <thead><tr><th scope="col">Sent</th><th scope="col">What</th><th scope="col">By</th><th scope="col">Answer</th></tr></thead>
        <tbody id="sent" data-rows="row">
        {{#sent}}<tr data-row="c-{{number}}"><td>{{when}}</td><td>{{what}}{{#group}}, to the group {{group}}{{/group}}</td><td>{{by}}</td><td>{{answer}}</td></tr>
        {{/sent}}
        </tbody>
        </table>
        </div>
        {{/hasSent}}
        <h2>Joins</h2>
        {{>joins}}
        <h2>What happened</h2>
        {{>audit-rows}}

        """

    private static let joins = """
        <div class="scroll" role="region" aria-label="Joins" tabindex="0">
        <table>
        <thead><tr><th scope="col">Asked</th><th scope="col">Device</th><th scope="col">Type</th><th scope="col">Decided by</th><th scope="col">Tries</th><th scope="col">Outcome</th><th scope="col">Took</th><th scope="col">Why</th></tr></thead>
        <tbody id="joins" data-rows="row">
        {{#joins}}<tr id="j-{{number}}" data-row="j-{{number}}"><td><time datetime="{{beganISO}}">{{began}}</time></td><td><a class="id" href="/devices/{{id}}">{{id}}</a></td><td>{{type}}</td><td>{{#rollCall}}roll call {{/rollCall}}{{#observer}}<a class="id" href="/devices/{{observer}}">{{observer}}</a>{{/observer}}{{#several}}any of several{{/several}}{{#person}}a person{{#by}}, {{by}}{{/by}}{{/person}}</td><td>{{tries}}</td><td><span class="state {{mark}}">{{outcome}}</span></td><td>{{took}}</td><td>{{why}}{{#remedy}} <span class="hint">{{remedy}}</span>{{/remedy}}</td></tr>
        {{/joins}}
        </tbody>
        </table>
        </div>
        {{^joins}}<p class="empty">There was none.</p>{{/joins}}

        """

    private static let groups = """
        <h1>Groups</h1>
        <p class="lead">One message reaches all devices of a group. Who is put into one listens to it from then on.</p>
        <div class="scroll" role="region" aria-label="Groups" tabindex="0">
        <table>
        <thead><tr><th scope="col">Name</th><th scope="col">Devices</th></tr></thead>
        <tbody id="rows" data-rows="row">
        {{#rows}}<tr data-row="g-{{name}}"><th scope="row"><a href="/groups/{{name}}">{{name}}</a></th><td>{{size}}</td></tr>
        {{/rows}}
        </tbody>
        </table>
        </div>
        {{^rows}}<p class="empty">There is none yet.</p>{{/rows}}
        {{#moderates}}
        <h2>Put a device into a group</h2>
        <form method="post" action="/groups" class="row">
        <input type="hidden" name="token" value="{{token}}">
        <p><label for="group">Group, also a new one: {{form}}</label> <input id="group" name="group" maxlength="32" autocapitalize="none" spellcheck="false" required></p>
        <p><label for="id">The device's identity</label> <input id="id" name="id" maxlength="16" autocapitalize="none" spellcheck="false" required></p>
        <p><button>Put in</button></p>
        </form>
        {{/moderates}}

        """

    private static let group = """
        <p><a href="/groups">All groups</a></p>
        <h1>Group {{name}}</h1>
        <div class="scroll" role="region" aria-label="Devices" tabindex="0">
        <table>
        <thead><tr><th scope="col">Identity</th><th scope="col">Type</th><th scope="col">State</th><th scope="col">Last heard</th><th scope="col">Note</th>{{#moderates}}<th scope="col">Change</th>{{/moderates}}</tr></thead>
        <tbody id="rows" data-rows="row">
        {{#rows}}<tr data-row="d-{{id}}"><th scope="row"><a class="id" href="/devices/{{id}}">{{id}}</a></th><td>{{type}}</td><td><span class="state {{mark}}">{{state}}</span></td><td><time>{{heard}}</time></td><td>{{note}}</td>{{#token}}<td><form method="post" action="/groups/{{group}}/remove"><input type="hidden" name="token" value="{{token}}"><input type="hidden" name="id" value="{{id}}"><button class="second">Take out<span class="unseen"> {{id}}</span></button></form></td>{{/token}}</tr>
        {{/rows}}
        </tbody>
        </table>
        </div>
        {{^rows}}<p class="empty">Nobody is in it.</p>{{/rows}}
        {{#more}}<p class="hint">{{more}}</p>{{/more}}
        {{#moderates}}
        <h2>Change and send</h2>
        <div class="columns">
        <form method="post" action="/groups/{{name}}/add">
        <input type="hidden" name="token" value="{{addToken}}">
        <p><label for="id">The device's identity</label> <input id="id" name="id" maxlength="16" autocapitalize="none" spellcheck="false" required></p>
        <p><button class="second">Put in</button></p>
        </form>
        <form method="post" action="/groups/{{name}}/action">
        <input type="hidden" name="token" value="{{actionToken}}">
        <p><label for="action">Action, a number from 0 to 255</label> <input id="action" name="action" maxlength="3" inputmode="numeric" required></p>
        <p><button class="second">Send action</button></p>
        </form>
        <form method="post" action="/groups/{{name}}/data">
        <input type="hidden" name="token" value="{{dataToken}}">
        <p><label for="data-name">Data name</label> <input id="data-name" name="name" maxlength="255" required></p>
        <p><label for="data-value">Value, as its type is written</label> <input id="data-value" name="value" maxlength="4096"></p>
        <p><button class="second">Send data</button></p>
        </form>
        <form method="post" action="/groups/{{name}}/destroy">
        <input type="hidden" name="token" value="{{destroyToken}}">
        <p>The group ends; its devices are told.</p>
        <p><label class="choose"><input type="checkbox" name="sure" value="yes" required> I am sure</label></p>
        <p><button class="danger">End the group</button></p>
        </form>
        </div>
        {{/moderates}}

        """

    private static let observers = """
        <h1>Observers</h1>
        <p class="lead">A trusted observer vouches for devices: it stands before them, looks, and says whether they show what they should.</p>
        <div class="scroll" role="region" aria-label="Observers" tabindex="0">
        <table>
        <thead><tr><th scope="col">Identity</th><th scope="col">Trust</th><th scope="col">State</th><th scope="col">Zones</th><th scope="col">Last heard</th><th scope="col">Looks at</th><th scope="col">Waiting for it</th><th scope="col">Verdicts</th>{{#moderates}}<th scope="col">Change</th>{{/moderates}}</tr></thead>
        <tbody id="rows" data-rows="row">
        {{#rows}}<tr id="o-{{id}}" data-row="o-{{id}}"><th scope="row"><a class="id" href="/devices/{{id}}">{{id}}</a>{{#note}} {{note}}{{/note}}</th><td><span class="state {{trustMark}}">{{trust}}</span></td><td>{{state}}</td><td>{{zones}}{{#eyes}} <span class="hint">{{eyes}}</span>{{/eyes}}</td><td><time>{{heard}}</time></td><td>{{#looks}}<a class="id" href="/devices/{{id}}">{{id}}</a> {{/looks}}{{^looks}}nobody{{/looks}}</td><td>{{queue}}</td><td>{{verdicts}}</td>{{#moderates}}<td><form method="post" action="/observers"><input type="hidden" name="token" value="{{token}}"><input type="hidden" name="id" value="{{id}}"><button class="second" name="trust" value="{{to}}">{{button}}<span class="unseen"> {{id}}</span></button></form></td>{{/moderates}}</tr>
        {{/rows}}
        </tbody>
        </table>
        </div>
        {{^rows}}<p class="empty">There is none yet.</p>{{/rows}}
        {{#moderates}}
        <h2>Trust an observer</h2>
        <form method="post" action="/observers" class="row">
        <input type="hidden" name="token" value="{{token}}">
        <p><label for="id">Its identity, as <code>srup-observer status</code> shows it</label> <input id="id" name="id" maxlength="16" autocapitalize="none" spellcheck="false" required></p>
        <p><button name="trust" value="yes">Trust</button></p>
        </form>
        <p class="hint">It comes in by that, too, when it has asked. Or let it ask, and compare its words under <a href="/waiting">Waiting</a>.</p>
        <h2>Zones</h2>
        <p>A zone is a place with observers of its own. All that are free there are asked about a device that belongs there; observers in no zone look at devices in none.</p>
        <form method="post" action="/observers/zones" class="row">
        <input type="hidden" name="token" value="{{zonesToken}}">
        <p><label for="zone-observer">Observer</label> <select id="zone-observer" name="id">{{#rows}}<option value="{{id}}">{{id}}{{#note}} {{note}}{{/note}}</option>{{/rows}}</select></p>
        <p><label for="zones">Zones that it serves, with spaces between; empty for none</label> <input id="zones" name="zones" maxlength="2000" autocapitalize="none" spellcheck="false"></p>
        <p><button class="second">Set zones</button></p>
        </form>
        {{/moderates}}

        """

    private static let observations = """
        <h1>Observations</h1>
        <p class="lead">Every join, the newest first: who looked, what came of it, and what to do when it failed.</p>
        {{#isMissing}}
        <h2>Not seen at their last roll call</h2>
        <div class="scroll" role="region" aria-label="Not seen at their last roll call" tabindex="0">
        <table>
        <thead><tr><th scope="col">Device</th><th scope="col">Type</th><th scope="col">Last seen</th><th scope="col">Failed in a row</th><th scope="col">Why</th></tr></thead>
        <tbody id="missing" data-rows="row">
        {{#missing}}<tr data-row="m-{{id}}"><th scope="row"><a class="id" href="/devices/{{id}}">{{id}}</a></th><td>{{type}}</td><td><time>{{seen}}</time></td><td>{{failures}}</td><td>{{why}}</td></tr>
        {{/missing}}
        </tbody>
        </table>
        </div>
        <h2>Joins</h2>
        {{/isMissing}}
        {{>joins}}
        {{>more}}

        """

    private static let cells = """
        <h1>Cells</h1>
        <p class="lead">Devices, policies, observers, releases and the log are each cell's own. Operators are the same in all.</p>
        <table>
        <thead><tr><th scope="col">Cell</th><th scope="col">Its pages</th><th scope="col"><span class="unseen">Choose</span></th></tr></thead>
        <tbody>
        {{#rows}}<tr><th scope="row">{{name}}</th><td>{{place}}</td><td>{{#here}}You look at this one.{{/here}}{{#other}}<form method="post" action="/cells" class="row"><input type="hidden" name="token" value="{{token}}"><input type="hidden" name="name" value="{{name}}"><button class="second">Look at it<span class="unseen">: {{name}}</span></button></form>{{/other}}</td></tr>
        {{/rows}}
        </tbody>
        </table>

        """

    private static let policies = """
        <h1>Policies</h1>
        <p class="lead">How devices come in, by the type they register with. Everybody can register, and with any type.</p>
        <div class="scroll" role="region" aria-label="Policies" tabindex="0">
        <table>
        <thead><tr><th scope="col">Type</th><th scope="col">Comes in</th><th scope="col">Said by</th>{{#administers}}<th scope="col">Change</th>{{/administers}}</tr></thead>
        <tbody id="rows" data-rows="row">
        {{#rows}}<tr id="p-{{number}}" data-row="p-{{number}}"><th scope="row">{{name}}</th><td>{{words}}</td><td>{{source}}</td>{{#administers}}<td><form method="post" action="/policies" class="row"><input type="hidden" name="token" value="{{token}}"><input type="hidden" name="type" value="{{type}}"><select name="policy" aria-label="How {{name}} come in">{{#choices}}<option value="{{value}}"{{#here}} selected{{/here}}>{{value}}</option>{{/choices}}{{#set}}<option value="">as configured</option>{{/set}}</select> <button class="second">Set<span class="unseen"> for {{name}}</span></button></form></td>{{/administers}}</tr>
        {{/rows}}
        </tbody>
        </table>
        </div>
        <dl class="facts wide-facts">
        {{#all}}<div><dt>{{value}}</dt><dd>{{words}}</dd></div>{{/all}}
        </dl>
        {{#administers}}
        <h2>Another type</h2>
        <form method="post" action="/policies" class="row">
        <input type="hidden" name="token" value="{{token}}">
        <p><label for="new-type">Device type</label> <input id="new-type" name="type" maxlength="64" required></p>
        <p><label for="new-policy">Policy</label> <select id="new-policy" name="policy">{{#all}}<option>{{value}}</option>{{/all}}</select></p>
        <p><button>Set</button></p>
        </form>
        <p class="hint">What is set here holds beside <code>c2.toml</code> and outlives a restart. Joins under way keep what they were promised.</p>
        {{/administers}}

        """

    private static let audit = """
        <h1>Audit</h1>
        <form method="get" action="/audit" class="search" role="search">
        <p><label for="text">Contains</label> <input id="text" name="text" value="{{text}}" maxlength="64" type="search"></p>
        <p><label for="about">About the identity</label> <input id="about" name="about" value="{{about}}" maxlength="16"></p>
        <p><button>Search</button></p>
        </form>
        <p><a href="/audit/export?{{query}}" download>Export as CSV</a></p>
        {{#chain}}<p class="hint">Lines {{first}} to {{last}} are kept; {{sealed}}. An auditor gets them with their signed messages by <code>srup-c2 audit export</code>.</p>{{/chain}}
        {{>audit-rows}}
        {{>more}}

        """

    private static let auditRows = """
        <div class="scroll" role="region" aria-label="Audit log" tabindex="0">
        <table>
        <thead><tr><th scope="col">When</th><th scope="col">What</th><th scope="col">Who</th><th scope="col">More</th></tr></thead>
        <tbody id="lines" data-rows="row">
        {{#lines}}<tr id="a-{{number}}" data-row="a-{{number}}"><td><time datetime="{{timeISO}}">{{time}}</time></td><td>{{event}}</td><td>{{by}}</td><td>{{detail}}</td></tr>
        {{/lines}}
        </tbody>
        </table>
        </div>
        {{^lines}}<p class="empty">There is nothing.</p>{{/lines}}

        """

    private static let operators = """
        <h1>Operators</h1>
        <div class="scroll" role="region" aria-label="Operators" tabindex="0">
        <table>
        <thead><tr><th scope="col">Name</th><th scope="col">Role</th><th scope="col">Since</th><th scope="col">Sessions</th><th scope="col">Tokens</th><th scope="col">Change</th></tr></thead>
        <tbody>
        {{#rows}}<tr><th scope="row">{{name}}{{#off}} <span class="state bad">disabled</span>{{/off}}</th><td>{{role}}</td><td>{{since}}</td><td>{{sessions}}</td><td>{{tokens}}</td><td>
        <form method="post" action="/operators" class="row"><input type="hidden" name="token" value="{{token}}"><input type="hidden" name="name" value="{{name}}">
        <select name="role" aria-label="Role of {{name}}">{{#roles}}<option{{#here}} selected{{/here}}>{{value}}</option>{{/roles}}</select>
        <button class="second" name="do" value="role">Set role<span class="unseen"> of {{name}}</span></button>
        <button class="second" name="do" value="{{toggle}}">{{toggleWords}}<span class="unseen"> {{name}}</span></button>
        <button class="second" name="do" value="out">Sign out<span class="unseen"> {{name}}</span></button>
        <button class="second" name="do" value="password">New password<span class="unseen"> for {{name}}</span></button>
        <button class="danger" name="do" value="remove">Remove<span class="unseen"> {{name}}</span></button>
        </form></td></tr>
        {{/rows}}
        </tbody>
        </table>
        </div>
        <h2>Add an operator</h2>
        <form method="post" action="/operators" class="row">
        <input type="hidden" name="token" value="{{token}}">
        <p><label for="name">Name</label> <input id="name" name="name" maxlength="32" autocapitalize="none" spellcheck="false" autocomplete="off" required></p>
        <p><label for="role">Role</label> <select id="role" name="role">{{#roles}}<option value="{{value}}">{{value}}: {{words}}</option>{{/roles}}</select></p>
        <p><button name="do" value="add">Add</button></p>
        </form>
        <p class="hint">The server makes a password and shows it once; they change it under their name.</p>

        """

    private static let newSecret = """
        <h1>{{title}}</h1>
        <p>{{words}}</p>
        <p class="value hex secret">{{secret}}</p>
        <p class="box warn">It is shown this once. Write it down now.</p>
        <p><a href="{{back}}">Go on</a></p>

        """

    private static let account = """
        <h1>{{name}}</h1>
        <p>Your role is <strong>{{role}}</strong>: {{roleWords}}.</p>
        <h2>Change your password</h2>
        <form method="post" action="/account/password" class="narrow">
        <input type="hidden" name="token" value="{{passwordToken}}">
        <input type="text" name="username" value="{{name}}" autocomplete="username" aria-label="Name" hidden>
        <p><label for="old">Present password</label> <input id="old" name="old" type="password" autocomplete="current-password" required maxlength="256"></p>
        <p><label for="new">New password, at least 12 characters</label> <input id="new" name="new" type="password" autocomplete="new-password" required minlength="12" maxlength="256"></p>
        <p><label for="again">New password again</label> <input id="again" name="again" type="password" autocomplete="new-password" required maxlength="256"></p>
        <p><button>Change</button></p>
        </form>
        <h2>Where you are signed in</h2>
        <div class="scroll" role="region" aria-label="Sessions" tabindex="0">
        <table>
        <thead><tr><th scope="col">From</th><th scope="col">Since</th><th scope="col">Used last</th><th scope="col">End it</th></tr></thead>
        <tbody>
        {{#sessions}}<tr><td>{{place}}{{#this}} (this one){{/this}}</td><td>{{since}}</td><td>{{used}}</td><td><form method="post" action="/account/sessions"><input type="hidden" name="token" value="{{token}}"><button class="second" name="end" value="{{number}}">End<span class="unseen"> the session from {{place}}, of {{since}}</span></button></form></td></tr>
        {{/sessions}}
        </tbody>
        </table>
        </div>
        <form method="post" action="/account/sessions"><input type="hidden" name="token" value="{{sessionsToken}}"><p><button class="second" name="end" value="others">End all others</button></p></form>
        <h2>Tokens for programs</h2>
        <p>A program shows one as <code>Authorization: Bearer srup_...</code>; what it can ask for is in <a href="/api/openapi.json">the API's description</a>.</p>
        <div class="scroll" role="region" aria-label="Tokens" tabindex="0">
        <table>
        <thead><tr><th scope="col">For</th><th scope="col">Role</th><th scope="col">Made</th><th scope="col">Used last</th><th scope="col">Ends</th><th scope="col">Remove</th></tr></thead>
        <tbody>
        {{#tokens}}<tr><td>{{label}}</td><td>{{role}}</td><td>{{made}}</td><td>{{used}}</td><td>{{ends}}</td><td><form method="post" action="/account/tokens"><input type="hidden" name="token" value="{{token}}"><button class="danger" name="remove" value="{{number}}">Remove<span class="unseen"> the token for {{label}}</span></button></form></td></tr>
        {{/tokens}}
        </tbody>
        </table>
        </div>
        {{^tokens}}<p class="empty">You have none.</p>{{/tokens}}
        <form method="post" action="/account/tokens" class="row">
        <input type="hidden" name="token" value="{{tokensToken}}">
        <p><label for="label">What it is for</label> <input id="label" name="label" maxlength="64" required></p>
        <p><label for="token-role">Role</label> <select id="token-role" name="role">{{#roles}}<option>{{value}}</option>{{/roles}}</select></p>
        <p><label for="days">Days until it ends</label> <input id="days" name="days" type="number" min="1" max="3650" value="365" inputmode="numeric"></p>
        <p><button>Make a token</button></p>
        </form>

        """
}
