-- Earlier versions signed tokens with HMAC, and the key was 32 random bytes. Tokens are now signed with RSA, so that others
-- can verify them; the next token creates the key. Tokens that were signed with the earlier key are no longer valid.
DELETE FROM own_key;
