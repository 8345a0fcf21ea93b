"""The brands a workspace works for. Owns clients. Campaigns refer to them; limits here hold for all of theirs."""
