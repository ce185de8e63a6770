extension Templates {
    static let phone = """
        <h1>Phone</h1>
        <p class="lead">Be an observer yourself: as long as this page is open, it vouches in your name for a device whose code its camera sees.</p>
        <div id="state" data-row="state">
        {{^open}}
        <p>It does not look now. Your session ends it, so does a minute without a sign of this page.</p>
        <form method="post" action="/phone/open"><input type="hidden" name="token" value="{{token}}"><p><button>Begin to look</button></p></form>
        {{/open}}
        {{#open}}{{#state}}<p class="box {{mark}}" role="status">{{words}}</p>{{/state}}{{/open}}
        </div>
        {{#open}}
        <div id="phone" data-token="{{token}}" class="eye">
        <h2>To be looked at</h2>
        <div id="rows" data-rows="phone">
        {{#rows}}
        <article class="card" id="look-{{id}}" data-row="look-{{id}}" aria-labelledby="h-{{id}}">
        <h3 id="h-{{id}}"><span class="id">{{id}}</span> <span class="type">{{type}}</span></h3>
        <p>Asked for <time>{{since}} ago, {{left}} left</time></p>
        </article>
        {{/rows}}
        {{^rows}}<p class="empty" data-row="none" id="none">No device asks at this moment. One whose type must be observed appears here; its code is then to be seen on it.</p>{{/rows}}
        </div>
        <h2>Look</h2>
        <p id="said" class="link" role="status"></p>
        <div id="camera" hidden>
        <video id="video" playsinline muted autoplay hidden aria-label="What the camera sees"></video>
        <p class="buttons"><button type="button" id="start">Use the camera</button> <button type="button" id="stop" class="second" hidden>Camera off</button> <button type="button" id="tap" class="second" hidden>Read a tag</button></p>
        </div>
        <form method="post" action="/phone/photo" enctype="multipart/form-data">
        <input type="hidden" name="token" value="{{token}}">
        <p><label for="photo">Photo of the device's code</label><br><input id="photo" name="photo" type="file" accept="image/*" capture="environment" required></p>
        <p><button>Send the photo</button></p>
        </form>
        <div id="last" data-row="last">
        {{#look}}<p class="box {{mark}}"{{#isPhoto}} role="status"{{/isPhoto}}><strong>Last {{eye}}</strong> <time>{{ago}} ago</time>: {{words}}</p>{{/look}}
        </div>
        <h2>Verdicts</h2>
        <div id="verdicts" data-row="verdicts">
        {{^verdicts}}<p class="empty">None yet.</p>{{/verdicts}}
        {{#verdicts}}<p><span class="state {{mark}}">{{verdict}}</span> <a href="/devices/{{id}}" class="id">{{id}}</a> <time>{{ago}} ago</time></p>
        {{/verdicts}}
        </div>
        <form method="post" action="/phone/close"><input type="hidden" name="token" value="{{token}}"><p><button class="second">Look no more</button></p></form>
        </div>
        <script src="/assets/phone.js?{{version}}" defer></script>
        {{/open}}
        {{#certificate}}
        <h2>When the phone does not believe this server</h2>
        <p>Browsers give the camera only to a page whose certificate they believe. Install <a href="/ca.crt" download="srup-ca.crt">this network's authority</a> once:</p>
        <ul>
        <li>Android: open the file from Settings, Security, More, Encryption and credentials, Install a certificate, CA certificate.</li>
        <li>iPhone, iPad: open the file in Safari, then Settings, Profile downloaded, Install; then Settings, General, About, Certificate Trust Settings, and switch it on.</li>
        <li>Compare its fingerprint first (SHA-256): <span class="hex">{{certificate}}</span></li>
        </ul>
        {{/certificate}}

        """
}
