// Which cipher this machine is fast at, and whether the one that is not WireGuard's own is right here.
#pragma once

namespace vine {

struct CipherSpeeds {
  /** Sealing and opening of full datagrams by one thread, Gbit/s of payload; 0: it does not work. */
  double chachaGbps = 0;
  double aesGbps = 0;
};

/** Takes about 5 ms the first time, and remembers. AES-256-GCM that gives a wrong result counts as not working. */
const CipherSpeeds& cipherSpeeds();

}  // namespace vine
