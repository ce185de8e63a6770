extension ApplianceSettings {
    /// The file on a card that has none: the image is built with it, and a card that lost its file gets it again.
    package static let template = """
        # srup-observer.toml: edit this, put the card into the Pi, switch it on. If something is wrong,
        # srup-observer-problem.txt appears beside this file and says what.

        [registration]
        # url = "https://c2.example.net:8443"   # the key service; ask the operator of your C2 server
        # ca = "ca.crt"                         # its certificate authority, copied beside this file

        [appliance]
        hostname = "srup-observer"
        # ssh_key = "ssh-ed25519 AAAA… you"     # lets this key log in as user "observer"; without it there is no SSH
        # updates = "security"                  # Debian's security updates by themselves, at night
        # time_server = "ntp.example.net"
        # aim_minutes = 15                      # after each start the lamp says whether the camera reads a code
        # acceptance = true                     # until it is signed off: a printed sheet's codes drive the check

        # [wifi]                                # without it: network cable
        # ssid = "my network"
        # passphrase = "my passphrase"          # is moved to the state partition at the first start, and overwritten here
        # country = "DE"

        # [network]                             # without it: DHCP, no proxy
        # address = "192.168.1.20/24"
        # gateway = "192.168.1.1"
        # dns = ["192.168.1.1"]
        # proxy = "http://10.0.0.1:3128"        # for registration and updates

        [camera]                                # what it looks with
        device = "auto"

        # [nfc]                                 # a PN532 reader, instead of the camera or beside it
        # device = "auto"

        """
}
